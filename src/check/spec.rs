//! A check as it means: parsed, typed, ready to judge. How it is written is `read`'s and `schema`'s business.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::diagnostic::{Diagnostic, suggest};
use super::expr::{Expr, Root};
use super::template::Template;
use crate::config::Requirements;
use crate::finding::{Dimension, Source, Status};
use crate::model::hash;
use crate::model::severity::Severity;
use crate::model::value::Value;
use crate::relate::kinds::Kind;
use crate::results::{CheckInfo, FixTexts};

/// A check file by its name (`checks/<source>/<id>.yaml`, or a user's path) and text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceFile {
    pub name: String,
    pub text: String,
    /// Shipped inside the binary.
    pub builtin: bool,
}

#[derive(Clone, Debug)]
pub struct Check {
    pub id: String,
    pub title: String,
    pub severity: Severity,
    pub source: Source,
    pub dimension: Dimension,
    /// The kind of resource it judges.
    pub kind: &'static Kind,
    /// Which resources of the kind it judges; none = all.
    pub applies: Option<Expr>,
    /// Said where `applies` is false.
    pub not_applicable: Option<Template>,
    pub criteria: Vec<Criterion>,
    pub why: String,
    pub fix: FixTexts,
    /// Framework id to control ids.
    pub frameworks: BTreeMap<String, Vec<String>>,
    pub references: Vec<String>,
    pub cases: Vec<Case>,
    pub builtin: bool,
    /// The file it was read from, and its whole text.
    pub file: String,
    pub text: String,
    /// Every path that `applies` and the criteria look at.
    pub(super) looked_at: BTreeSet<(Root, Vec<&'static str>)>,
}

#[derive(Clone, Debug)]
pub struct Criterion {
    /// Points of the displayed score.
    pub points: u32,
    pub required: Required,
    pub expect: Expr,
    /// What is missing when it does not hold.
    pub gap: Option<Template>,
}

/// Whether a criterion decides status and readiness.
#[derive(Clone, Debug)]
pub enum Required {
    Always,
    /// `required: false`: worth its points when it holds, and nothing else.
    Never,
    /// Asked only where the condition holds; elsewhere there is nothing to ask and its points are given.
    When(Expr),
}

/// An example inside a check file: facts, and what the check must come to.
#[derive(Clone, Debug)]
pub struct Case {
    pub name: String,
    /// A record of the kind's type.
    pub resource: Value,
    /// A record of `kinds::AccountView`.
    pub account: Value,
    pub requirements: Requirements,
    pub status: Status,
    /// Lowest and highest points, when the case says.
    pub points: Option<(u32, u32)>,
    /// Line of the file, from 1.
    pub line: usize,
}

/// Checks that go together in a run, sorted by id.
#[derive(Clone, Debug, Default)]
pub struct CheckSet {
    pub checks: Vec<Arc<Check>>,
    /// Ids of built-in checks that a user's check took the place of.
    pub replaced: Vec<String>,
    /// What `locard checks lint` says of files that load.
    pub warnings: Vec<Diagnostic>,
}

/// A check was asked for by an id that does not exist.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no check `{id}`{}", help.as_ref().map(|h| format!("; {h}")).unwrap_or_default())]
pub struct NoSuchCheck {
    pub id: String,
    pub help: Option<String>,
}

impl CheckSet {
    pub fn get(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id).map(AsRef::as_ref)
    }

    /// SHA-256, in hex, over ids and texts in order of id: what was judged with.
    pub fn digest(&self) -> String {
        let parts: Vec<&str> = self.checks.iter().flat_map(|check| [check.id.as_str(), check.text.as_str()]).collect();
        hash::of_parts(&parts, 32)
    }

    /// Only the checks with these ids; all of them when none is named.
    pub fn select(&self, ids: &[String]) -> Result<CheckSet, NoSuchCheck> {
        if ids.is_empty() {
            return Ok(self.clone());
        }
        if let Some(id) = ids.iter().find(|id| self.get(id).is_none()) {
            let help = suggest(id, self.checks.iter().map(|check| check.id.as_str()));
            return Err(NoSuchCheck { id: id.clone(), help });
        }
        let files: Vec<&str> =
            self.checks.iter().filter(|check| ids.contains(&check.id)).map(|check| check.file.as_str()).collect();
        Ok(Self {
            checks: self.checks.iter().filter(|check| ids.contains(&check.id)).cloned().collect(),
            replaced: self.replaced.iter().filter(|id| ids.contains(id)).cloned().collect(),
            warnings: self.warnings.iter().filter(|w| files.contains(&w.file.as_str())).cloned().collect(),
        })
    }
}

impl Check {
    /// Points of all criteria together.
    pub fn max_points(&self) -> u32 {
        self.criteria.iter().map(|criterion| criterion.points).sum()
    }

    /// The fields of the resource that its expressions look at, dotted, sorted.
    pub fn fields(&self) -> Vec<String> {
        let paths = self.looked_at.iter();
        paths.filter(|(root, _)| *root == Root::Resource).map(|(_, path)| path.join(".")).collect()
    }

    /// As published in results.
    pub fn info(&self) -> CheckInfo {
        CheckInfo {
            id: self.id.clone(),
            title: self.title.clone(),
            severity: self.severity,
            source: self.source,
            dimension: self.dimension,
            resource: self.kind.name.to_owned(),
            why: self.why.clone(),
            fix: self.fix.clone(),
            frameworks: self.frameworks.clone(),
            references: self.references.clone(),
            builtin: self.builtin,
        }
    }
}
