//! Scenarios: what an investigation of one kind of incident has to answer, and which evidence answers it.
//!
//! Read from `checks/scenarios/<id>.yaml` and from a user's folder; how well they can be answered is the rest of
//! `score`. Nothing here reads a folder: built-in files are in the binary, others arrive as text.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use rust_embed::RustEmbed;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_saphyr::Spanned;

use crate::finding::Source;
use crate::relate::subject::SubjectKind;
use crate::results::{Plane, QuestionInfo, ScenarioInfo};

/// A kind of incident and its questions, in the order of the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    pub id: String,
    pub title: String,
    /// What happened and what has to be found out.
    pub why: String,
    pub questions: Vec<Question>,
}

/// One question.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// `1.1`; unique over all scenarios.
    pub id: String,
    pub text: String,
    /// Weighs double, and decides the tier of the scenario.
    pub must_have: bool,
    pub plane: Plane,
    /// Never empty.
    pub asks_of: Vec<SubjectKind>,
    /// Never empty. Any path answers; the best one counts.
    pub paths: Vec<Path>,
}

impl Question {
    /// What it weighs in the mean of an account.
    pub fn weight(&self) -> f64 {
        if self.must_have { 2.0 } else { 1.0 }
    }
}

/// Sources that together answer a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// All of them are needed.
    pub sources: Vec<Source>,
    pub strength: Strength,
    /// Only subjects of these kinds are seen this way; empty = every kind the question is asked of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub of: Vec<SubjectKind>,
    /// What the path does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Path {
    /// Whether evidence on this path can concern such a subject.
    pub fn concerns(&self, kind: SubjectKind) -> bool {
        self.of.is_empty() || self.of.contains(&kind)
    }
}

/// How much of the answer a path gives at its best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strength {
    Circumstantial,
    Partial,
    Primary,
}

impl Strength {
    /// 1, 0.6 or 0.3.
    pub fn factor(self) -> f64 {
        match self {
            Self::Primary => 1.0,
            Self::Partial => 0.6,
            Self::Circumstantial => 0.3,
        }
    }
}

impl Scenario {
    /// As published in results.
    pub fn info(&self) -> ScenarioInfo {
        let questions = self.questions.iter().map(|question| QuestionInfo {
            id: question.id.clone(),
            text: question.text.clone(),
            must_have: question.must_have,
            plane: question.plane,
        });
        ScenarioInfo { id: self.id.clone(), title: self.title.clone(), questions: questions.collect() }
    }
}

/// Everything wrong with the scenario files of a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", .0.iter().map(ScenarioError::to_string).collect::<Vec<_>>().join("\n"))]
pub struct ScenarioErrors(pub Vec<ScenarioError>);

/// One thing wrong with a scenario file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScenarioError {
    pub file: String,
    /// From 1; 0 when the parser could not tell.
    pub line: u64,
    pub column: u64,
    pub message: String,
}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

#[derive(RustEmbed)]
#[folder = "checks/scenarios"]
struct Builtin;

/// Names and texts of the built-in files, sorted by name, for parsing and for the digest of the ruleset.
pub fn builtin_files() -> Vec<(String, String)> {
    let mut names: Vec<String> = Builtin::iter().map(|name| name.to_string()).collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let file = Builtin::get(&name).unwrap_or_else(|| panic!("internal error: embedded `{name}` is gone"));
            let text = String::from_utf8_lossy(&file.data).into_owned();
            (name, text)
        })
        .collect()
}

/// The scenarios of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// In the order of their ids.
    pub scenarios: Vec<Scenario>,
    /// Ids of built-in scenarios that a user's file replaced; reports name them.
    pub replaced: Vec<String>,
}

/// The scenarios locard comes with, in the order of their ids.
pub fn builtin() -> Vec<Scenario> {
    match load(&[]) {
        Ok(loaded) => loaded.scenarios,
        Err(errors) => panic!("internal error: built-in scenarios do not parse: {errors}"),
    }
}

/// The built-in scenarios with a user's files (name and text) added; a file with a built-in id replaces it.
pub fn load(user: &[(String, String)]) -> Result<Loaded, ScenarioErrors> {
    let mut scenarios: BTreeMap<String, (String, Scenario)> = BTreeMap::new();
    let mut replaced = Vec::new();
    let mut errors = Vec::new();
    for files in [builtin_files().as_slice(), user] {
        let mut seen = BTreeSet::new();
        for (file, text) in files {
            match parse(file, text) {
                Err(ScenarioErrors(mut found)) => errors.append(&mut found),
                Ok(scenario) if !seen.insert(scenario.id.clone()) => {
                    errors.push(problem(file, None, format!("another file defines scenario `{}` too", scenario.id)));
                }
                Ok(scenario) => {
                    let id = scenario.id.clone();
                    if scenarios.insert(id.clone(), (file.clone(), scenario)).is_some() {
                        replaced.push(id);
                    }
                }
            }
        }
    }
    let mut owners: BTreeMap<&str, &str> = BTreeMap::new();
    for (file, scenario) in scenarios.values() {
        for question in &scenario.questions {
            if let Some(other) = owners.insert(&question.id, &scenario.id) {
                errors.push(problem(file, None, format!("question {} is also one of scenario `{other}`", question.id)));
            }
        }
    }
    if errors.is_empty() {
        let scenarios = scenarios.into_values().map(|(_, scenario)| scenario).collect();
        Ok(Loaded { scenarios, replaced })
    } else {
        Err(ScenarioErrors(errors))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawScenario {
    id: Spanned<String>,
    title: String,
    why: String,
    questions: Spanned<Vec<RawQuestion>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawQuestion {
    id: Spanned<String>,
    text: Spanned<String>,
    must_have: bool,
    plane: Plane,
    asks_of: Spanned<Vec<SubjectKind>>,
    paths: Spanned<Vec<Spanned<Path>>>,
}

/// Parses one file; its stem must be the scenario's id. All problems the syntax leaves room for are told at once.
pub fn parse(file: &str, text: &str) -> Result<Scenario, ScenarioErrors> {
    let raw: RawScenario = serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location();
        ScenarioErrors(vec![ScenarioError {
            file: file.to_owned(),
            line: at.map_or(0, |l| l.line()),
            column: at.map_or(0, |l| l.column()),
            message: error.to_string(),
        }])
    })?;

    let mut errors = Vec::new();
    let name = file.rsplit(['/', '\\']).next().map_or(file, |name| name);
    let stem = name.trim_end_matches(".yaml").trim_end_matches(".yml");
    if raw.id.value != stem {
        errors.push(at(file, &raw.id, format!("id `{}` must equal the file's name, `{stem}`", raw.id.value)));
    }
    if raw.questions.value.is_empty() {
        errors.push(at(file, &raw.questions, "a scenario needs a question".to_owned()));
    }
    let mut seen = BTreeSet::new();
    for question in &raw.questions.value {
        let id = &question.id.value;
        if id.trim().is_empty() {
            errors.push(at(file, &question.id, "a question needs an id such as \"1.1\"".to_owned()));
        }
        if !seen.insert(id.clone()) {
            errors.push(at(file, &question.id, format!("question {id} occurs twice")));
        }
        if question.text.value.trim().is_empty() {
            errors.push(at(file, &question.text, format!("question {id} has no text")));
        }
        if question.asks_of.value.is_empty() {
            errors.push(at(file, &question.asks_of, format!("question {id} is asked of nothing")));
        }
        if question.paths.value.is_empty() {
            errors.push(at(file, &question.paths, format!("question {id} needs a path of evidence")));
        }
        for path in &question.paths.value {
            if path.value.sources.is_empty() {
                errors.push(at(file, path, format!("a path of question {id} needs a source")));
            }
            for kind in &path.value.of {
                if !question.asks_of.value.contains(kind) {
                    let word = kind.word();
                    errors.push(at(file, path, format!("question {id} is not asked of {word}, which `of` names")));
                }
            }
        }
        for kind in &question.asks_of.value {
            let seen_somehow = question.paths.value.iter().any(|path| path.value.concerns(*kind));
            if !seen_somehow && !question.paths.value.is_empty() {
                let word = kind.word();
                errors.push(at(file, &question.asks_of, format!("no path of question {id} concerns {word}")));
            }
        }
    }
    if !errors.is_empty() {
        return Err(ScenarioErrors(errors));
    }

    let questions = raw.questions.value.into_iter().map(|question| Question {
        id: question.id.value,
        text: question.text.value,
        must_have: question.must_have,
        plane: question.plane,
        asks_of: question.asks_of.value,
        paths: question.paths.value.into_iter().map(|path| path.value).collect(),
    });
    Ok(Scenario { id: raw.id.value, title: raw.title, why: raw.why, questions: questions.collect() })
}

fn at<T>(file: &str, spanned: &Spanned<T>, message: String) -> ScenarioError {
    problem(file, Some((spanned.referenced.line(), spanned.referenced.column())), message)
}

fn problem(file: &str, place: Option<(u64, u64)>, message: String) -> ScenarioError {
    let (line, column) = place.map_or((0, 0), |place| place);
    ScenarioError { file: file.to_owned(), line, column, message }
}
