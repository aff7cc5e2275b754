//! `results.json` read piece by piece: those of thousands of accounts need not fit in memory, a finding does.
//!
//! What becomes of the pieces is up to whoever takes them; nothing here opens a file.

use std::fmt;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{
    AccountResult, CheckInfo, ConfigView, Coverage, ExceptionResult, Failure, FixSuggestion, GateResult,
    OpenPopulation, OrganizationScore, QuestionResult, RegionCoverage, Results, Run, SCHEMA_VERSION, ScenarioInfo,
    SourceResult,
};
use crate::finding::Finding;

/// A member of results, or an element of a list in them.
#[derive(Clone, Debug, PartialEq)]
pub enum Part {
    Run(Box<Run>),
    Config(ConfigView),
    Score(OrganizationScore),
    Account(AccountResult),
    Check(CheckInfo),
    Finding(Box<Finding>),
    /// Findings of a check that are counted and not listed.
    NotApplicable(String, u64),
    Scenario(ScenarioInfo),
    Question(QuestionResult),
    Source(SourceResult),
    Exception(ExceptionResult),
    /// The share of `coverage`.
    Share(f64),
    Denied(Failure),
    Failed(Failure),
    Regions(RegionCoverage),
    Population(OpenPopulation),
    NotLookedAt(String),
    Fix(FixSuggestion),
    Gate(GateResult),
}

/// Why something is not results this version can read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("not JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("no `schema_version`: this is not a results.json of locard")]
    NoVersion,
    #[error(
        "results have schema_version {found}, this locard reads {SCHEMA_VERSION}; use the locard version that wrote them"
    )]
    UnsupportedVersion { found: String },
    #[error("results of schema_version {SCHEMA_VERSION} are not shaped as published")]
    Shape(#[source] serde_json::Error),
    #[error("the file cannot be read to its end")]
    Io(#[source] io::Error),
}

impl From<serde_json::Error> for ReadError {
    fn from(error: serde_json::Error) -> Self {
        match error.classify() {
            serde_json::error::Category::Io => Self::Io(error.into()),
            serde_json::error::Category::Data => Self::Shape(error),
            serde_json::error::Category::Syntax | serde_json::error::Category::Eof => Self::Syntax(error),
        }
    }
}

/// Hands on every part, in the order of the file. Members may come in any order; one that is unknown, missing or there
/// twice is an error. What was taken before an error stands for nothing.
///
/// # Errors
/// The input is not JSON, of another schema version, or not shaped as that version is.
pub fn read(mut input: impl Read + Seek, take: &mut dyn FnMut(Part)) -> Result<(), ReadError> {
    let mut version = None;
    let document = Document { take, version: &mut version };
    let buffered = BufReader::with_capacity(1 << 16, &mut input);
    let mut json = serde_json::Deserializer::from_reader(buffered);
    let Err(error) = json.deserialize_map(document).and_then(|()| json.end()) else { return Ok(()) };
    match (version, ReadError::from(error)) {
        (Some(found), _) if found != SCHEMA_VERSION => Err(ReadError::UnsupportedVersion { found }),
        // The version may stand behind what does not fit, and be the reason why.
        (None, ReadError::Shape(error)) => {
            input.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
            check_version(input)?;
            Err(ReadError::Shape(error))
        }
        (_, error) => Err(error),
    }
}

/// The `run` of results, which stands near their beginning; what follows it is not read.
///
/// # Errors
/// The input has none.
pub fn read_run(input: impl Read) -> Result<Run, ReadError> {
    member(input, "run")?.ok_or(ReadError::NoVersion)
}

/// Says of JSON whether its `schema_version` is the one that can be read.
///
/// # Errors
/// It is not, or this is no JSON.
pub fn check_version(input: impl Read) -> Result<(), ReadError> {
    match member(input, "schema_version").map(|found| found.map(version_text)) {
        Ok(Some(found)) if found == SCHEMA_VERSION => Ok(()),
        Ok(Some(found)) => Err(ReadError::UnsupportedVersion { found }),
        Ok(None) | Err(ReadError::Shape(_)) => Err(ReadError::NoVersion),
        Err(error) => Err(error),
    }
}

/// One member of an object, without reading further.
fn member<T: DeserializeOwned>(input: impl Read, name: &'static str) -> Result<Option<T>, ReadError> {
    let mut found = None;
    let mut json = serde_json::Deserializer::from_reader(BufReader::new(input));
    match json.deserialize_map(Member { name, found: &mut found }) {
        // To stop in the middle of an object is an error to serde_json.
        Err(error) if found.is_none() => Err(error.into()),
        _ => Ok(found),
    }
}

impl Results {
    /// Hands on every part, as [`read`] does from a file.
    pub fn into_parts(self, take: &mut dyn FnMut(Part)) {
        let Results {
            schema_version: _,
            run,
            config,
            score,
            accounts,
            checks,
            findings,
            not_applicable,
            scenarios,
            questions,
            sources,
            exceptions,
            coverage: Coverage { share, denied, failed, regions, populations, not_looked_at },
            fixes,
            gate,
        } = self;
        take(Part::Run(Box::new(run)));
        take(Part::Config(config));
        take(Part::Score(score));
        accounts.into_iter().map(Part::Account).for_each(&mut *take);
        checks.into_iter().map(Part::Check).for_each(&mut *take);
        findings.into_iter().map(|f| Part::Finding(Box::new(f))).for_each(&mut *take);
        not_applicable.into_iter().map(|(check, count)| Part::NotApplicable(check, count)).for_each(&mut *take);
        scenarios.into_iter().map(Part::Scenario).for_each(&mut *take);
        questions.into_iter().map(Part::Question).for_each(&mut *take);
        sources.into_iter().map(Part::Source).for_each(&mut *take);
        exceptions.into_iter().map(Part::Exception).for_each(&mut *take);
        take(Part::Share(share));
        denied.into_iter().map(Part::Denied).for_each(&mut *take);
        failed.into_iter().map(Part::Failed).for_each(&mut *take);
        regions.into_iter().map(Part::Regions).for_each(&mut *take);
        populations.into_iter().map(Part::Population).for_each(&mut *take);
        not_looked_at.into_iter().map(Part::NotLookedAt).for_each(&mut *take);
        fixes.into_iter().map(Part::Fix).for_each(&mut *take);
        gate.into_iter().map(Part::Gate).for_each(take);
    }
}

/// A version as it is told to people; one that is no text is of another version too.
fn version_text(version: Value) -> String {
    match version {
        Value::String(text) => text,
        other => other.to_string(),
    }
}

/// In the order they are written.
const MEMBERS: &[&str] = &[
    "schema_version",
    "run",
    "config",
    "score",
    "accounts",
    "checks",
    "findings",
    "not_applicable",
    "scenarios",
    "questions",
    "sources",
    "exceptions",
    "coverage",
    "fixes",
    "gate",
];
/// The one member that may be missing: not every run is gated.
const OPTIONAL: &str = "gate";

const COVERAGE: &[&str] = &["share", "denied", "failed", "regions", "populations", "not_looked_at"];

struct Document<'a> {
    take: &'a mut dyn FnMut(Part),
    version: &'a mut Option<String>,
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("results of locard")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { take, version } = self;
        let mut seen = Vec::new();
        while let Some(name) = map.next_key_seed(Name { known: MEMBERS, seen: &mut seen })? {
            match name {
                "schema_version" => {
                    let found = version_text(map.next_value()?);
                    let other = found != SCHEMA_VERSION;
                    *version = Some(found);
                    if other {
                        return Err(A::Error::custom("another schema_version"));
                    }
                }
                "run" => take(Part::Run(map.next_value()?)),
                "config" => take(Part::Config(map.next_value()?)),
                "score" => take(Part::Score(map.next_value()?)),
                "accounts" => map.next_value_seed(Each { take: &mut *take, part: Part::Account })?,
                "checks" => map.next_value_seed(Each { take: &mut *take, part: Part::Check })?,
                "findings" => map.next_value_seed(Each { take: &mut *take, part: Part::Finding })?,
                "not_applicable" => map.next_value_seed(Counted(&mut *take))?,
                "scenarios" => map.next_value_seed(Each { take: &mut *take, part: Part::Scenario })?,
                "questions" => map.next_value_seed(Each { take: &mut *take, part: Part::Question })?,
                "sources" => map.next_value_seed(Each { take: &mut *take, part: Part::Source })?,
                "exceptions" => map.next_value_seed(Each { take: &mut *take, part: Part::Exception })?,
                "coverage" => map.next_value_seed(Covered(&mut *take))?,
                "fixes" => map.next_value_seed(Each { take: &mut *take, part: Part::Fix })?,
                "gate" => map.next_value::<Option<GateResult>>()?.into_iter().map(Part::Gate).for_each(&mut *take),
                other => return Err(A::Error::unknown_field(other, MEMBERS)),
            }
        }
        missing(MEMBERS, &seen)
    }
}

struct Covered<'a>(&'a mut dyn FnMut(Part));

impl<'de> DeserializeSeed<'de> for Covered<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Covered<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("coverage")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let take = self.0;
        let mut seen = Vec::new();
        while let Some(name) = map.next_key_seed(Name { known: COVERAGE, seen: &mut seen })? {
            match name {
                "share" => take(Part::Share(map.next_value()?)),
                "denied" => map.next_value_seed(Each { take: &mut *take, part: Part::Denied })?,
                "failed" => map.next_value_seed(Each { take: &mut *take, part: Part::Failed })?,
                "regions" => map.next_value_seed(Each { take: &mut *take, part: Part::Regions })?,
                "populations" => map.next_value_seed(Each { take: &mut *take, part: Part::Population })?,
                "not_looked_at" => map.next_value_seed(Each { take: &mut *take, part: Part::NotLookedAt })?,
                other => return Err(A::Error::unknown_field(other, COVERAGE)),
            }
        }
        missing(COVERAGE, &seen)
    }
}

/// A list, handed on element by element.
struct Each<'a, T> {
    take: &'a mut dyn FnMut(Part),
    part: fn(T) -> Part,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Each<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Each<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(element) = list.next_element()? {
            (self.take)((self.part)(element));
        }
        Ok(())
    }
}

/// Counts by check.
struct Counted<'a>(&'a mut dyn FnMut(Part));

impl<'de> DeserializeSeed<'de> for Counted<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Counted<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("counts by check")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some((check, count)) = map.next_entry()? {
            (self.0)(Part::NotApplicable(check, count));
        }
        Ok(())
    }
}

struct Member<'a, T> {
    name: &'static str,
    found: &'a mut Option<T>,
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Member<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("results of locard")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if name == self.name {
                *self.found = Some(map.next_value()?);
                return Ok(());
            }
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

/// The name of a member: one of the known, and not a second time.
struct Name<'a> {
    known: &'static [&'static str],
    seen: &'a mut Vec<&'static str>,
}

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = &'static str;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a member")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<&'static str, E> {
        let name = *self.known.iter().find(|name| **name == text).ok_or_else(|| E::unknown_field(text, self.known))?;
        if self.seen.contains(&name) {
            return Err(E::duplicate_field(name));
        }
        self.seen.push(name);
        Ok(name)
    }
}

fn missing<E: Error>(known: &'static [&'static str], seen: &[&str]) -> Result<(), E> {
    match known.iter().find(|name| **name != OPTIONAL && !seen.contains(*name)) {
        Some(name) => Err(E::missing_field(name)),
        None => Ok(()),
    }
}
