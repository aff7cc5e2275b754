//! What people write in `locard.yaml`: one table of keys, from which refusals, suggestions and the published schema
//! all follow. What the values mean to a run is [`Config`]'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::civil::Date;
use serde_json::json;

use super::yaml::{self, Node, Place, Value};
use super::{Config, Exception, Gate, Requirements, Timeouts, UnknownPolicy};
use crate::model::ids::{AccountId, Region};
use crate::model::severity::Severity;
use crate::model::time::Timestamp;

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    /// Never empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The file as named by the caller.
    pub file: String,
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    pub message: String,
    pub help: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
            if let Some(help) = &problem.help {
                write!(f, " ({help})")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Reads a configuration; `name` is what problems call the file. An empty text is the default configuration.
///
/// # Errors
/// Every problem of the file at once; only text that is not YAML at all ends the search early.
pub fn parse(text: &str, name: &str) -> Result<Config, ConfigErrors> {
    let mut problems = Problems { text, file: name, found: Vec::new() };
    match yaml::parse(text) {
        Err((message, place)) => problems.add(place, message, None),
        Ok(root) if matches!(root.value, Value::Null) => return Ok(Config::default()),
        Ok(root) => {
            problems.check(&ROOT_SHAPE, &root, "the configuration");
            if problems.found.is_empty() {
                return Ok(config(&Entries::of(&root)));
            }
        }
    }
    problems.found.sort_by_key(|problem| (problem.line, problem.column));
    Err(ConfigErrors { problems: problems.found })
}

/// The JSON Schema of `locard.yaml`, for editors.
pub fn schema() -> serde_json::Value {
    let mut schema = ROOT_SHAPE.schema();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        object.insert("title".into(), json!("locard.yaml"));
    }
    schema
}

/// Whether a text can name the role to assume: an IAM role name, after its path if it has one.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn role_name(text: &str) -> Result<(), String> {
    not_empty(text)?;
    if text.starts_with("arn:") {
        return Err(format!("`{text}` is an ARN; the role has the same name in every account, give just that name"));
    }
    let name = text.rsplit('/').next().unwrap_or(text);
    let allowed = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if name.len() > 64 || text.len() > 512 || text.split('/').any(|part| part.is_empty() || !part.chars().all(allowed))
    {
        return Err(format!("`{text}` is not a role name: at most 64 letters, digits and any of `+=,.@_-`"));
    }
    Ok(())
}

/// So many times AWS's limits are none at all, until somebody throttles.
const UNLIMITED: f64 = 10_000.0;

/// A share written in percent, as a number above 0 and at most 1; `unlimited` is far above.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn share(text: &str) -> Result<f64, String> {
    if text == "unlimited" {
        return Ok(UNLIMITED);
    }
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    match percent.filter(|percent| *percent >= 1.0 && *percent <= 100.0) {
        Some(percent) => Ok(percent / 100.0),
        None => Err(format!(
            "`{text}` is not a share; write it in percent, 1 % to 100 %, such as 50%, or \
             `unlimited` for a server that imitates AWS"
        )),
    }
}

// ---- the table ----

/// The keys of one mapping.
struct Table {
    keys: &'static [Key],
    /// What no key can tell alone.
    across: fn(&Entries, &mut Problems),
}

struct Key {
    name: &'static str,
    required: bool,
    shape: Shape,
    /// For editors.
    doc: &'static str,
}

/// What may stand at a key.
enum Shape {
    /// Text that the function accepts; it says what is wrong.
    Text(fn(&str) -> Result<(), String>),
    /// Twelve digits, quoted.
    Account,
    /// `YYYY-MM-DD`.
    Day,
    Bool,
    /// Between both, inclusive.
    Int(i64, i64),
    Number(f64, f64),
    OneOf(&'static [&'static str]),
    List(&'static Shape),
    Map(&'static Table),
}

const fn key(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, required: false, shape, doc }
}

const fn required(name: &'static str, shape: Shape, doc: &'static str) -> Key {
    Key { name, required: true, shape, doc }
}

const fn table(keys: &'static [Key]) -> Table {
    Table { keys, across: |_, _| {} }
}

/// An exception holds at most so many days.
const MAX_EXCEPTION_DAYS: i32 = 365;

static ROOT_SHAPE: Shape = Shape::Map(&ROOT);
static REGION: Shape = Shape::Text(region_code);
static ACCOUNT: Shape = Shape::Account;
static EXCLUDED_ACCOUNT: Shape = Shape::Map(&EXCLUDED);
static EXCEPTION_SHAPE: Shape = Shape::Map(&EXCEPTION);

static ROOT: Table = Table {
    keys: &[
        key("role", Shape::Text(role_name), "Name of the read-only role in every account; default LocardAudit."),
        key("external_id", Shape::Text(external_id), "External id the role's trust policy asks for."),
        key(
            "source_identity",
            Shape::Text(source_identity),
            "Source identity of the sessions, as CloudTrail records it.",
        ),
        key("regions", Shape::List(&REGION), "Assess workloads in these regions only; default: all enabled."),
        key("skip_regions", Shape::List(&REGION), "Never read these regions."),
        key(
            "timeouts",
            Shape::Map(&TIMEOUTS),
            "How long a call to AWS may take, in seconds, and how often it is tried.",
        ),
        key(
            "max_rate",
            Shape::Text(|text| share(text).map(|_| ())),
            "Share of AWS's limits for each account, region and operation to use at most; default 50%.",
        ),
        key(
            "exclude_accounts",
            Shape::List(&EXCLUDED_ACCOUNT),
            "Accounts left out of the score, each with its reason.",
        ),
        key("requirements", Shape::Map(&REQUIREMENTS), "Thresholds that checks compare with."),
        key("exceptions", Shape::List(&EXCEPTION_SHAPE), "Approved, owned, expiring waivers."),
        key("gate", Shape::Map(&GATE), "What a run must meet; a condition that is not set is not asked."),
    ],
    across: across_root,
};

/// Keys that will come; who tries them should not be told of a typing error.
const NOT_YET: &[(&str, &str)] = &[
    ("ai_tags", "AI workloads are found by their service; finding them by tag"),
    ("responder_role", "judging what an incident responder can read"),
];

static EXCLUDED: Table = table(&[
    required("account", Shape::Account, "Account id, quoted."),
    required("reason", Shape::Text(not_empty), "Why it is left out; shown in every report."),
]);

/// Longer than any answer takes, and shorter than a session lasts.
const LONGEST_TIMEOUT: f64 = 1800.0;
const SHORTEST_TIMEOUT: f64 = 0.1;

const fn timeout(name: &'static str, doc: &'static str) -> Key {
    key(name, Shape::Number(SHORTEST_TIMEOUT, LONGEST_TIMEOUT), doc)
}

static TIMEOUTS: Table = Table {
    keys: &[
        timeout("connect", "Seconds until a connection stands; default 3."),
        timeout("read", "Seconds until an answer begins; default 15."),
        timeout("attempt", "Seconds for one request with its answer; default 20."),
        timeout("operation", "Seconds for all attempts of a call and the pauses between them; default 90."),
        key("attempts", Shape::Int(1, 20), "Requests a call may cost, the first included; default 5."),
    ],
    across: across_timeouts,
};

static REQUIREMENTS: Table = table(&[
    key("retention_days", Shape::Int(90, 36_500), "Days evidence should be kept; 90 at least, default 365."),
    key("lock_days", Shape::Int(1, 36_500), "Days of Object Lock default retention that count; default 365."),
    key("delivery_hours", Shape::Int(1, 720), "Hours within which a trail must have delivered; default 24."),
    key("ai_lookback_days", Shape::Int(1, 3_650), "Finished jobs count as workloads for so long; default 365."),
    key(
        "max_described_jobs",
        Shape::Int(1, 100_000),
        "Jobs of a kind described per account and region, newest first; default 500.",
    ),
]);

static EXCEPTION: Table = Table {
    keys: &[
        required("check", Shape::Text(check_id), "Id of the check that is waived."),
        key("accounts", Shape::List(&ACCOUNT), "Accounts it holds in, ids quoted; default: every account."),
        key("regions", Shape::List(&REGION), "Regions it holds in; default: every region."),
        key("resource", Shape::Text(not_empty), "Resource id, `*` for any run of characters; default: every resource."),
        required("owner", Shape::Text(not_empty), "Who answers for it."),
        key("approver", Shape::Text(not_empty), "Who approved it."),
        required("reason", Shape::Text(not_empty), "Why the gap is accepted."),
        key("ticket", Shape::Text(not_empty), "Where it is tracked."),
        required("created", Shape::Day, "Day it was granted."),
        required("expires", Shape::Day, "Last day it holds, within 365 days of `created`."),
        key("compensating_control", Shape::Text(not_empty), "What makes up for the gap."),
    ],
    across: across_exception,
};

static GATE: Table = table(&[
    key("min_score", Shape::Number(0.0, 100.0), "Organization score, 0 to 100."),
    key(
        "fail_on",
        Shape::OneOf(&["low", "medium", "high", "critical"]),
        "Any failure at or above this severity that no exception covers fails the gate.",
    ),
    key(
        "unknown",
        Shape::OneOf(&["undecided", "fail", "ignore"]),
        "What an unknown finding at or above `fail_on` does; default undecided.",
    ),
    key("min_coverage", Shape::Number(0.0, 1.0), "Share of required criteria that must be known, 0 to 1."),
    key("allow_replaced_checks", Shape::Bool, "Whether built-in checks may have been replaced; default true."),
    key("partial_scope", Shape::Text(not_empty), "Reason why a run over part of the organization may be gated."),
]);

fn not_empty(text: &str) -> Result<(), String> {
    if text.trim().is_empty() { Err("it is empty".to_owned()) } else { Ok(()) }
}

fn of_characters(text: &str, what: &str, shortest: usize, longest: usize, besides: &str) -> Result<(), String> {
    not_empty(text)?;
    let fits = (shortest..=longest).contains(&text.len());
    if fits && text.chars().all(|c| c.is_ascii_alphanumeric() || besides.contains(c)) {
        return Ok(());
    }
    Err(format!("`{text}` is not {what}: {shortest} to {longest} letters, digits and any of `{besides}`"))
}

fn external_id(text: &str) -> Result<(), String> {
    of_characters(text, "an external id", 2, 1224, "+=,.@:/_-")
}

fn source_identity(text: &str) -> Result<(), String> {
    of_characters(text, "a source identity", 2, 64, "+=,.@_-")
}

fn check_id(text: &str) -> Result<(), String> {
    let kebab = !text.is_empty()
        && text
            .split('-')
            .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    if kebab {
        return Ok(());
    }
    Err(format!("`{text}` is not the id of a check; an exception names one, such as bedrock-invocations-unlogged"))
}

fn region_code(text: &str) -> Result<(), String> {
    let mut parts = text.split('-').rev();
    let number = parts.next().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    let words: Vec<&str> = parts.collect();
    let lower = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    if number && words.len() >= 2 && words.iter().all(lower) {
        return Ok(());
    }
    Err(format!("`{text}` is not a region code such as eu-west-1"))
}

fn day(text: &str) -> Result<Date, String> {
    let digits = |range: std::ops::Range<usize>| text.as_bytes()[range].iter().all(u8::is_ascii_digit);
    let form = text.len() == 10 && digits(0..4) && digits(5..7) && digits(8..10) && text.is_ascii();
    form.then(|| text.parse::<Date>().ok())
        .flatten()
        .ok_or_else(|| format!("`{text}` is not a day written as YYYY-MM-DD"))
}

// ---- problems ----

struct Problems<'a> {
    text: &'a str,
    file: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    fn add(&mut self, place: Place, message: impl Into<String>, help: Option<String>) {
        let (line, column) = (place.line, place.column);
        self.found.push(Problem { file: self.file.to_owned(), line, column, message: message.into(), help });
    }

    /// Compares a node with what may stand there; `what` names the place in messages.
    fn check(&mut self, shape: &Shape, node: &Node, what: &str) {
        match (shape, &node.value) {
            (Shape::Map(table), Value::Map(entries)) => self.check_map(table, node, entries, what),
            (Shape::List(item), Value::List(nodes)) => {
                for node in nodes {
                    self.check(item, node, &format!("each of {what}"));
                }
            }
            (Shape::Text(accept), Value::Text(text)) => {
                if let Err(message) = accept(text) {
                    self.add(node.place, format!("{what}: {message}"), None);
                }
            }
            (Shape::Account, Value::Text(text)) => self.check_account(node, text, what),
            (Shape::Account, Value::Int(_) | Value::Float(_)) => self.unquoted_account(node, what),
            (Shape::Day, Value::Text(text)) => {
                if let Err(message) = day(text) {
                    self.add(node.place, format!("{what}: {message}"), None);
                }
            }
            (Shape::Bool, Value::Bool(_)) => {}
            (Shape::Int(low, high), Value::Int(n)) => {
                if !(low..=high).contains(&n) {
                    self.add(node.place, format!("{what} is {n}; it must be between {low} and {high}"), None);
                }
            }
            (Shape::Number(low, high), Value::Int(_) | Value::Float(_)) => {
                let n = number(&node.value);
                if !(*low..=*high).contains(&n) {
                    self.add(node.place, format!("{what} is {n}; it must be between {low} and {high}"), None);
                }
            }
            (Shape::OneOf(words), Value::Text(text)) if words.contains(&text.as_str()) => {}
            (Shape::OneOf(words), Value::Text(text)) => {
                let help = nearest(text, words.iter().copied()).map(|word| format!("did you mean `{word}`?"));
                self.add(node.place, format!("{what} is `{text}`; it must be one of {}", words.join(", ")), help);
            }
            _ => self.wrong_type(shape, node, what),
        }
    }

    fn check_map(&mut self, table: &Table, node: &Node, entries: &[(Node, Node)], what: &str) {
        for (name, value) in entries {
            let Value::Text(text) = &name.value else {
                self.add(name.place, format!("a key of {what} is {}; keys are text", name.value.word()), None);
                continue;
            };
            match table.keys.iter().find(|key| key.name == text) {
                // A key whose value is commented out counts as not written.
                Some(_) if matches!(value.value, Value::Null) => {}
                Some(key) => self.check(&key.shape, value, &format!("`{}`", key.name)),
                None => self.unknown_key(table, name.place, text, what),
            }
        }
        let entries = Entries(entries);
        for key in table.keys.iter().filter(|key| key.required && entries.get(key.name).is_none()) {
            self.add(node.place, format!("{what} lacks `{}`", key.name), Some(uncapitalized(key.doc)));
        }
        (table.across)(&entries, self);
    }

    fn unknown_key(&mut self, table: &Table, place: Place, name: &str, what: &str) {
        if let Some((_, purpose)) = NOT_YET.iter().find(|(key, _)| *key == name) {
            let help = format!("{purpose} is not supported yet; remove the key");
            return self.add(place, format!("`{name}` is not supported by this version of locard"), Some(help));
        }
        let tables =
            [("the top level", &ROOT), ("`requirements`", &REQUIREMENTS), ("`timeouts`", &TIMEOUTS), ("`gate`", &GATE)];
        let home = tables.into_iter().find(|(_, other)| other.keys.iter().any(|key| key.name == name));
        let help = match (home, nearest(name, table.keys.iter().map(|key| key.name))) {
            (Some((home, _)), _) => format!("it belongs under {home}"),
            (None, Some(near)) => format!("did you mean `{near}`?"),
            (None, None) => {
                let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
                format!("known here: {}", names.join(", "))
            }
        };
        self.add(place, format!("{what} has no key `{name}`"), Some(help));
    }

    fn check_account(&mut self, node: &Node, text: &str, what: &str) {
        if let Err(message) = AccountId::parse(text) {
            self.add(node.place, format!("{what}: {message}"), None);
        } else if node.written(self.text).is_some_and(|written| written.starts_with(|c: char| c.is_ascii_digit())) {
            self.unquoted_account(node, what);
        }
    }

    fn unquoted_account(&mut self, node: &Node, what: &str) {
        let written = node.written(self.text).unwrap_or("it");
        let message = format!("{what}: `{written}` is not quoted, so YAML takes the account id for a number");
        let help = match written.bytes().all(|b| b.is_ascii_digit()) && written.len() <= 12 {
            true => format!("write \"{written:0>12}\": as a number an id loses its leading zeros"),
            false => "write its twelve digits in quotes: as a number an id loses its leading zeros".to_owned(),
        };
        self.add(node.place, message, Some(help));
    }

    fn wrong_type(&mut self, shape: &Shape, node: &Node, what: &str) {
        let got = node.value.word();
        let help = match (shape, &node.value, node.written(self.text)) {
            (Shape::Text(_), Value::Int(_) | Value::Float(_) | Value::Bool(_), Some(written)) => {
                Some(format!("quote it: \"{written}\""))
            }
            (Shape::List(_), Value::Text(_) | Value::Int(_), Some(written)) => Some(format!("write [{written}]")),
            (Shape::Day, ..) => Some("write it as YYYY-MM-DD".to_owned()),
            _ => None,
        };
        self.add(node.place, format!("{what} is {got}; it must be {}", shape.word()), help);
    }
}

/// The candidate that a mistyped word was probably meant to be.
fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase().replace('-', "_");
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(&word, &candidate.replace('-', "_")), candidate))
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Documentation as a help line: no capital, no period.
fn uncapitalized(doc: &str) -> String {
    let mut letters = doc.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

impl Shape {
    fn word(&self) -> String {
        match self {
            Self::Text(_) => "text".to_owned(),
            Self::Account => "an account id: twelve digits in quotes".to_owned(),
            Self::Day => "a day".to_owned(),
            Self::Bool => "true or false".to_owned(),
            Self::Int(..) => "a whole number".to_owned(),
            Self::Number(..) => "a number".to_owned(),
            Self::OneOf(words) => format!("one of {}", words.join(", ")),
            Self::List(_) => "a list".to_owned(),
            Self::Map(table) => {
                let names: Vec<&str> = table.keys.iter().map(|key| key.name).collect();
                format!("a mapping with any of {}", names.join(", "))
            }
        }
    }

    fn schema(&self) -> serde_json::Value {
        match self {
            Self::Text(_) => json!({"type": "string", "minLength": 1}),
            Self::Account => json!({"type": "string", "pattern": "^[0-9]{12}$"}),
            Self::Day => json!({"type": "string", "format": "date", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}),
            Self::Bool => json!({"type": "boolean"}),
            Self::Int(low, high) => json!({"type": "integer", "minimum": low, "maximum": high}),
            Self::Number(low, high) => json!({"type": "number", "minimum": low, "maximum": high}),
            Self::OneOf(words) => json!({"enum": words}),
            Self::List(item) => json!({"type": "array", "items": item.schema()}),
            Self::Map(table) => {
                let mut properties = serde_json::Map::new();
                for key in table.keys {
                    let mut schema = key.shape.schema();
                    if let Some(object) = schema.as_object_mut() {
                        object.insert("description".to_owned(), json!(key.doc));
                    }
                    properties.insert(key.name.to_owned(), schema);
                }
                let required: Vec<&str> = table.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
                json!({
                    "type": "object", "additionalProperties": false, "required": required, "properties": properties,
                })
            }
        }
    }
}

// ---- what no key can tell alone ----

fn across_root(entries: &Entries, problems: &mut Problems) {
    let read: BTreeSet<&str> = entries.list("regions").iter().filter_map(text).collect();
    for node in entries.list("skip_regions") {
        if let Some(region) = text(node).filter(|region| read.contains(region)) {
            problems.add(node.place, format!("`{region}` is in `regions` and in `skip_regions`"), None);
        }
    }
    let mut seen = BTreeSet::new();
    for node in entries.list("exclude_accounts") {
        let Value::Map(account) = &node.value else { continue };
        if let Some(account) = Entries(account).get("account")
            && let Some(id) = text(account)
            && !seen.insert(id)
        {
            problems.add(account.place, format!("`exclude_accounts` names {id} twice"), None);
        }
    }
}

/// A limit that another one never lets be reached is a mistake.
fn across_timeouts(entries: &Entries, problems: &mut Problems) {
    let set = timeouts(entries);
    let pairs = [
        ("connect", set.connect, "attempt", set.attempt),
        ("read", set.read, "attempt", set.attempt),
        ("attempt", set.attempt, "operation", set.operation),
    ];
    for (inner, short, outer, long) in pairs.into_iter().filter(|(_, short, _, long)| short > long) {
        let written = entries.get(inner).map(|node| (node, inner)).or(entries.get(outer).map(|node| (node, outer)));
        let Some((node, _)) = written else { continue };
        let (short, long) = (short.as_secs_f64(), long.as_secs_f64());
        let message = format!("`{inner}` is {short} s, longer than `{outer}` with {long} s");
        problems.add(node.place, message, Some(format!("lower `{inner}` or raise `{outer}`")));
    }
}

fn across_exception(entries: &Entries, problems: &mut Problems) {
    for name in ["accounts", "regions"] {
        if let Some(node) = entries.get(name)
            && matches!(&node.value, Value::List(nodes) if nodes.is_empty())
        {
            let help = format!("name them, or leave `{name}` out if the exception is to hold in all");
            problems.add(node.place, format!("`{name}` is empty; it would hold nowhere"), Some(help));
        }
    }
    let day_of = |name: &str| entries.get(name).and_then(text).and_then(|text| day(text).ok());
    let (Some(created), Some(expires)) = (day_of("created"), day_of("expires")) else { return };
    let Some(node) = entries.get("expires") else { return };
    let latest = created.saturating_add(jiff::Span::new().days(MAX_EXCEPTION_DAYS));
    if expires <= created {
        problems.add(node.place, format!("`expires` is {expires}; it must be after `created`, {created}"), None);
    } else if expires > latest {
        let help = format!("{latest} at the latest; renew it then, so that somebody looks at it again");
        let message = format!("`expires` is {expires}, more than {MAX_EXCEPTION_DAYS} days after `created`, {created}");
        problems.add(node.place, message, Some(help));
    }
}

// ---- values, of a tree without problems ----

/// The entries of a mapping.
struct Entries<'a>(&'a [(Node, Node)]);

impl<'a> Entries<'a> {
    fn of(node: &'a Node) -> Self {
        match &node.value {
            Value::Map(entries) => Self(entries),
            _ => Self(&[]),
        }
    }

    /// The value of a key that is written and not null.
    fn get(&self, name: &str) -> Option<&'a Node> {
        let (_, node) = self.0.iter().find(|(key, _)| text(key) == Some(name))?;
        (!matches!(node.value, Value::Null)).then_some(node)
    }

    fn map(&self, name: &str) -> Self {
        self.get(name).map_or(Self(&[]), Self::of)
    }

    fn list(&self, name: &str) -> &'a [Node] {
        match self.get(name).map(|node| &node.value) {
            Some(Value::List(nodes)) => nodes,
            _ => &[],
        }
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).and_then(text).map(str::to_owned)
    }

    /// A key that the table requires.
    fn required(&self, name: &str) -> String {
        self.text(name).unwrap_or_else(|| panic!("internal error: `{name}` is required, so it was checked"))
    }

    fn texts<T: for<'t> From<&'t str>>(&self, name: &str) -> Vec<T> {
        self.list(name).iter().filter_map(text).map(T::from).collect()
    }

    fn int(&self, name: &str, default: i64) -> i64 {
        match self.get(name).map(|node| &node.value) {
            Some(Value::Int(n)) => *n,
            _ => default,
        }
    }

    fn day(&self, name: &str) -> Date {
        day(&self.required(name)).unwrap_or_else(|e| panic!("internal error: `{name}` was checked: {e}"))
    }
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}

fn number(value: &Value) -> f64 {
    match value {
        Value::Int(n) => *n as f64,
        Value::Float(n) => *n,
        _ => f64::NAN,
    }
}

fn config(root: &Entries) -> Config {
    let default = Config::default();
    Config {
        role: root.text("role").unwrap_or(default.role),
        external_id: root.text("external_id"),
        source_identity: root.text("source_identity"),
        regions: root.texts::<Region>("regions"),
        skip_regions: root.texts::<Region>("skip_regions"),
        timeouts: timeouts(&root.map("timeouts")),
        max_rate: root.text("max_rate").and_then(|text| share(&text).ok()).unwrap_or(default.max_rate),
        exclude_accounts: excluded(root.list("exclude_accounts")),
        requirements: requirements(&root.map("requirements")),
        exceptions: root.list("exceptions").iter().map(|node| exception(&Entries::of(node))).collect(),
        gate: gate(&root.map("gate")),
    }
}

fn excluded(nodes: &[Node]) -> BTreeMap<AccountId, String> {
    nodes
        .iter()
        .map(Entries::of)
        .map(|entries| (AccountId::new(entries.required("account")), entries.required("reason")))
        .collect()
}

fn timeouts(entries: &Entries) -> Timeouts {
    let default = Timeouts::default();
    let seconds = |name: &str, default: Duration| match entries.get(name).map(|node| number(&node.value)) {
        Some(seconds) => Duration::try_from_secs_f64(seconds).unwrap_or(default),
        None => default,
    };
    Timeouts {
        connect: seconds("connect", default.connect),
        read: seconds("read", default.read),
        attempt: seconds("attempt", default.attempt),
        operation: seconds("operation", default.operation),
        attempts: u32::try_from(entries.int("attempts", i64::from(default.attempts))).unwrap_or(default.attempts),
    }
}

fn requirements(entries: &Entries) -> Requirements {
    let default = Requirements::default();
    Requirements {
        retention_days: entries.int("retention_days", default.retention_days),
        lock_days: entries.int("lock_days", default.lock_days),
        delivery_hours: entries.int("delivery_hours", default.delivery_hours),
        ai_lookback_days: entries.int("ai_lookback_days", default.ai_lookback_days),
        max_described_jobs: entries.int("max_described_jobs", default.max_described_jobs),
    }
}

fn exception(entries: &Entries) -> Exception {
    Exception {
        check: entries.required("check"),
        accounts: entries.texts("accounts"),
        regions: entries.texts("regions"),
        resource: entries.text("resource"),
        owner: entries.required("owner"),
        approver: entries.text("approver"),
        reason: entries.required("reason"),
        ticket: entries.text("ticket"),
        created: midnight(entries.day("created")),
        expires: midnight(entries.day("expires").saturating_add(jiff::Span::new().days(1))),
        compensating_control: entries.text("compensating_control"),
    }
}

/// The midnight UTC that starts the day.
fn midnight(day: Date) -> Timestamp {
    Timestamp::parse(&format!("{day}T00:00:00Z")).unwrap_or_else(|e| panic!("internal error: a day is a time: {e}"))
}

fn gate(entries: &Entries) -> Gate {
    let default = Gate::default();
    let word = |name: &str| entries.text(name);
    Gate {
        min_score: entries.get("min_score").map(|node| number(&node.value)),
        fail_on: word("fail_on").map(|word| match word.as_str() {
            "low" => Severity::Low,
            "medium" => Severity::Medium,
            "high" => Severity::High,
            _ => Severity::Critical,
        }),
        unknown: match word("unknown").as_deref() {
            Some("fail") => UnknownPolicy::Fail,
            Some("ignore") => UnknownPolicy::Ignore,
            _ => default.unknown,
        },
        min_coverage: entries.get("min_coverage").map(|node| number(&node.value)),
        allow_replaced_checks: match entries.get("allow_replaced_checks").map(|node| &node.value) {
            Some(Value::Bool(allowed)) => *allowed,
            _ => default.allow_replaced_checks,
        },
        partial_scope: entries.text("partial_scope"),
    }
}
