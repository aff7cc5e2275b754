//! Runs the cases inside check files: facts in, status and points out, compared with what the author expects.

use super::expr::{Env, requirements_value};
use super::judge::{Judgement, judge};
use super::spec::{Case, Check, CheckSet};
use crate::finding::Status;

/// How the cases of every check went, in order of id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CaseReport {
    pub checks: Vec<CheckCases>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCases {
    pub check: String,
    pub file: String,
    pub passed: usize,
    pub failed: Vec<FailedCase>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FailedCase {
    pub name: String,
    /// Line of the file, from 1.
    pub line: usize,
    /// `fail, 2 to 3 points`
    pub expected: String,
    pub got: String,
    /// The reason the check gave.
    pub reason: String,
}

impl CaseReport {
    pub fn passed(&self) -> usize {
        self.checks.iter().map(|check| check.passed).sum()
    }

    pub fn failed(&self) -> usize {
        self.checks.iter().map(|check| check.failed.len()).sum()
    }
}

/// Runs the cases of the checks that `filter` names, of all when it names none.
pub fn run(set: &CheckSet, filter: &[String]) -> CaseReport {
    let chosen = set.checks.iter().filter(|check| filter.is_empty() || filter.contains(&check.id));
    CaseReport { checks: chosen.map(|check| run_check(check)).collect() }
}

fn run_check(check: &Check) -> CheckCases {
    let failed: Vec<FailedCase> = check.cases.iter().filter_map(|case| run_case(check, case)).collect();
    let passed = check.cases.len() - failed.len();
    CheckCases { check: check.id.clone(), file: check.file.clone(), passed, failed }
}

fn run_case(check: &Check, case: &Case) -> Option<FailedCase> {
    let requirements = requirements_value(&case.requirements);
    let env = Env { resource: &case.resource, account: &case.account, requirements: &requirements };
    let judgement = judge(check, &env);
    let points = (judgement.points.low, judgement.points.high);
    if judgement.status == case.status && case.points.is_none_or(|expected| expected == points) {
        return None;
    }
    Some(FailedCase {
        name: case.name.clone(),
        line: case.line,
        expected: told(case.status, case.points),
        got: told(judgement.status, case.points.map(|_| points)),
        reason: why(&judgement),
    })
}

/// The reason, and for every criterion what it came to: what an author needs to see.
fn why(judgement: &Judgement) -> String {
    let criteria = judgement.criteria.iter().map(|criterion| {
        let status = match criterion.status {
            crate::finding::Truth::True => "holds",
            crate::finding::Truth::False => "does not hold",
            crate::finding::Truth::Unknown => "is unknown",
        };
        format!("`{}` {status}", criterion.expect)
    });
    let criteria: Vec<String> = criteria.collect();
    if criteria.is_empty() {
        judgement.reason.clone()
    } else {
        format!("{} ({})", judgement.reason, criteria.join("; "))
    }
}

fn told(status: Status, points: Option<(u32, u32)>) -> String {
    match points {
        None => status.word().to_owned(),
        Some((low, high)) if low == high => format!("{}, {low} points", status.word()),
        Some((low, high)) => format!("{}, {low} to {high} points", status.word()),
    }
}
