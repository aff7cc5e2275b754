//! From the YAML of one file to a check, all faults noted.

use std::ops::Range;
use std::path::Path;

use super::expr::{Expr, Scope};
use super::given;
use super::reader::{Fields, Reader};
use super::spec::{Case, Check, Criterion, Required, SourceFile};
use super::yaml::{Node, Yaml};
use crate::finding::{Dimension, Source, Status};
use crate::model::severity::Severity;
use crate::relate::kinds::{KINDS, Kind};
use crate::results::FixTexts;

/// Keys of a check file, in the order people write them.
pub(super) const KEYS: [&str; 14] = [
    "id",
    "title",
    "severity",
    "source",
    "dimension",
    "resource",
    "applies",
    "not_applicable",
    "criteria",
    "why",
    "fix",
    "frameworks",
    "references",
    "cases",
];
pub(super) const CRITERION_KEYS: [&str; 4] = ["points", "required", "expect", "gap"];
pub(super) const FIX_KEYS: [&str; 3] = ["cli", "terraform", "cloudformation"];
pub(super) const CASE_KEYS: [&str; 5] = ["name", "given", "account", "requirements", "expect"];
pub(super) const EXPECT_KEYS: [&str; 2] = ["status", "points"];

pub(super) const SEVERITIES: [(&str, Severity); 4] =
    [("critical", Severity::Critical), ("high", Severity::High), ("medium", Severity::Medium), ("low", Severity::Low)];
pub(super) const DIMENSIONS: [(&str, Dimension); 6] = [
    ("coverage", Dimension::Coverage),
    ("fidelity", Dimension::Fidelity),
    ("delivery", Dimension::Delivery),
    ("retention", Dimension::Retention),
    ("integrity", Dimension::Integrity),
    ("access", Dimension::Access),
];
pub(super) const STATUSES: [(&str, Status); 4] = [
    ("pass", Status::Pass),
    ("fail", Status::Fail),
    ("unknown", Status::Unknown),
    ("not_applicable", Status::NotApplicable),
];

/// Reads a check; none if anything is wrong with it, which the reader has noted.
pub(super) fn check(reader: &mut Reader<'_>, node: &Node) -> Option<Check> {
    let fields = reader.mapping(node, "a check", &KEYS)?;
    let sources = Source::ALL.map(|source| (source.id(), source));
    let id = id(reader, &fields);
    let title = required_text(reader, &fields, "title");
    let severity = reader.need(&fields, "severity").and_then(|node| reader.word(node, "severity", &SEVERITIES));
    let source = reader.need(&fields, "source").and_then(|node| reader.word(node, "source", &sources));
    let dimension = reader.need(&fields, "dimension").and_then(|node| reader.word(node, "dimension", &DIMENSIONS));
    let kind = reader.need(&fields, "resource").and_then(|node| kind(reader, node));
    let criteria_node = reader.need(&fields, "criteria");

    // Without a kind nothing is known about fields: expressions and cases wait for the next attempt.
    let scope = kind.map(|kind| Scope { resource: (kind.ty)() });
    let scope = scope.as_ref();
    let applies = optional(&fields, "applies").zip(scope).map(|(node, scope)| reader.condition(node, scope));
    let not_applicable =
        optional(&fields, "not_applicable").zip(scope).map(|(node, scope)| reader.template(node, scope));
    let criteria = criteria_node.zip(scope).map(|(node, scope)| criteria(reader, node, scope));
    let why = optional(&fields, "why").and_then(|node| reader.text(node)).unwrap_or_default().trim().to_owned();
    let fix = optional(&fields, "fix").map_or_else(FixTexts::default, |node| fix(reader, node));
    let frameworks = optional(&fields, "frameworks").map(|node| reader.entries(node)).unwrap_or_default();
    let frameworks = frameworks.iter().map(|entry| (entry.key.clone(), reader.texts(&entry.value))).collect();
    let references = optional(&fields, "references").map(|node| reader.texts(node)).unwrap_or_default();
    let cases = optional(&fields, "cases").map(|node| reader.list(node)).unwrap_or_default();
    let cases = cases.iter().map(|node| case(reader, node, kind?, source?)).collect::<Vec<_>>();

    let (applies, criteria) = (flatten(applies)?, criteria??);
    let looked_at = expressions(applies.as_ref(), &criteria).flat_map(|expr| expr.paths().iter().cloned()).collect();
    Some(Check {
        id: id?,
        title: title?,
        severity: severity?,
        source: source?,
        dimension: dimension?,
        kind: kind?,
        applies,
        not_applicable: flatten(not_applicable)?,
        criteria,
        why,
        fix,
        frameworks,
        references,
        cases: cases.into_iter().collect::<Option<_>>()?,
        builtin: reader.file.builtin,
        file: reader.file.name.clone(),
        text: reader.file.text.clone(),
        looked_at,
    })
}

/// The expressions that decide.
fn expressions<'c>(applies: Option<&'c Expr>, criteria: &'c [Criterion]) -> impl Iterator<Item = &'c Expr> {
    let criteria = criteria.iter().flat_map(|criterion| {
        let when = match &criterion.required {
            Required::When(expr) => Some(expr),
            Required::Always | Required::Never => None,
        };
        when.into_iter().chain([&criterion.expect])
    });
    applies.into_iter().chain(criteria)
}

/// Absent is fine, present and faulty is not.
fn flatten<T>(read: Option<Option<T>>) -> Option<Option<T>> {
    match read {
        None => Some(None),
        Some(None) => None,
        Some(Some(value)) => Some(Some(value)),
    }
}

fn optional<'n>(fields: &Fields<'n>, key: &str) -> Option<&'n Node> {
    fields.get(key).filter(|node| !matches!(node.yaml, Yaml::Null))
}

fn required_text(reader: &mut Reader<'_>, fields: &Fields<'_>, key: &str) -> Option<String> {
    let node = reader.need(fields, key)?;
    reader.text(node).map(|text| text.trim().to_owned())
}

fn id(reader: &mut Reader<'_>, fields: &Fields<'_>) -> Option<String> {
    let node = reader.need(fields, "id")?;
    let id = reader.text(node)?.to_owned();
    if !is_kebab(&id) {
        let error = reader.error(node.span.clone(), format!("`{id}` is not kebab-case"));
        error.help = Some("lower-case words and digits joined by `-`".to_owned());
        return None;
    }
    let stem = Path::new(&reader.file.name).file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    if stem != id {
        let message = format!("id `{id}` differs from the file's name `{stem}`");
        let error = reader.error(node.span.clone(), message);
        error.help = Some(format!("name the file `{id}.yaml`, or the check `{stem}`"));
    }
    Some(id)
}

fn is_kebab(id: &str) -> bool {
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.split('-').all(word) && id.starts_with(|c: char| c.is_ascii_lowercase())
}

fn kind(reader: &mut Reader<'_>, node: &Node) -> Option<&'static Kind> {
    let words: Vec<(&str, &'static Kind)> = KINDS.iter().map(|kind| (kind.name, kind)).collect();
    reader.word(node, "resource kind", &words)
}

fn criteria(reader: &mut Reader<'_>, node: &Node, scope: &Scope) -> Option<Vec<Criterion>> {
    let items = reader.list(node);
    if items.is_empty() && matches!(node.yaml, Yaml::List(_)) {
        reader.error(node.span.clone(), "a check needs at least one criterion");
    }
    let read: Vec<_> = items.iter().map(|item| criterion(reader, item, scope)).collect();
    if items.is_empty() { None } else { read.into_iter().collect() }
}

fn criterion(reader: &mut Reader<'_>, node: &Node, scope: &Scope) -> Option<Criterion> {
    let fields = reader.mapping(node, "a criterion", &CRITERION_KEYS)?;
    let points = fields.get("points").map_or(Some(0), |node| reader.count(node));
    let required = match fields.get("required") {
        None => Some(Required::Always),
        Some(Node { yaml: Yaml::Bool(true), .. }) => Some(Required::Always),
        Some(Node { yaml: Yaml::Bool(false), .. }) => Some(Required::Never),
        Some(node) => reader.condition(node, scope).map(Required::When),
    };
    let expect = reader.need(&fields, "expect").and_then(|node| reader.condition(node, scope));
    let gap = optional(&fields, "gap").map(|node| reader.template(node, scope));
    if gap.is_none() {
        let span = fields.entry("expect").map_or(node.span.clone(), |entry| entry.key_span.clone());
        reader.warning(span, "the criterion does not say what is missing when it fails: add `gap`");
    }
    Some(Criterion { points: points?, required: required?, expect: expect?, gap: flatten(gap)? })
}

fn fix(reader: &mut Reader<'_>, node: &Node) -> FixTexts {
    let Some(fields) = reader.mapping(node, "a fix", &FIX_KEYS) else { return FixTexts::default() };
    let mut form = |key: &str| {
        let node = optional(&fields, key)?;
        reader.text(node).map(|text| text.trim_end().to_owned())
    };
    FixTexts { cli: form("cli"), terraform: form("terraform"), cloudformation: form("cloudformation") }
}

fn case(reader: &mut Reader<'_>, node: &Node, kind: &'static Kind, source: Source) -> Option<Case> {
    let fields = reader.mapping(node, "a case", &CASE_KEYS)?;
    let name = required_text(reader, &fields, "name");
    let resource = match reader.need(&fields, "given") {
        Some(node) => given::resource(reader, node, kind, source),
        None => None,
    };
    let account =
        given::account(reader, optional(&fields, "account"), resource.as_ref().filter(|_| kind.name == "account"));
    let requirements = given::requirements(reader, optional(&fields, "requirements"));
    let expect = reader.need(&fields, "expect");
    let expect = expect.and_then(|node| reader.mapping(node, "the expectation of a case", &EXPECT_KEYS));
    let status = expect.and_then(|expect| reader.need(&expect, "status"));
    let status = status.and_then(|node| reader.word(node, "status", &STATUSES));
    let points = expect.as_ref().and_then(|expect| optional(expect, "points")).map(|node| points(reader, node));
    let line = reader.file.text[..node.span.start].matches('\n').count() + 1;
    Some(Case {
        name: name?,
        resource: resource?,
        account: account?,
        requirements: requirements?,
        status: status?,
        points: flatten(points)?,
        line,
    })
}

/// `3`, or `[2, 3]`: lowest and highest.
fn points(reader: &mut Reader<'_>, node: &Node) -> Option<(u32, u32)> {
    let Yaml::List(bounds) = &node.yaml else { return reader.count(node).map(|points| (points, points)) };
    let counts: Vec<Option<u32>> = bounds.iter().map(|bound| reader.count(bound)).collect();
    match counts[..] {
        [Some(low), Some(high)] if low <= high => Some((low, high)),
        _ => {
            reader.error(node.span.clone(), "points are a number, or `[lowest, highest]`");
            None
        }
    }
}

/// The id a file claims, faulty or not, and where: for finding two files that claim the same.
pub(super) fn written_id(node: &Node, file: &SourceFile) -> Option<(String, Range<usize>)> {
    let Yaml::Map(entries) = &node.yaml else { return None };
    let id = &entries.iter().find(|entry| entry.key == "id")?.value;
    Some((id.text(&file.text)?.to_owned(), id.span.clone()))
}
