//! One check on one resource: status, points, reason.
//!
//! Which resources a check meets, and what becomes of the answer, is `evaluate`'s business.

use super::expr::Env;
use super::spec::{Check, Criterion, Required};
use crate::finding::{CriterionResult, Points, Status, Truth};
use crate::model::observed::Unknown;

/// How many causes a reason names; the criteria list all.
const MAX_CAUSES: usize = 3;

/// What a check came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    pub status: Status,
    pub points: Points,
    /// None for a check that does not apply.
    pub criteria: Vec<CriterionResult>,
    /// One sentence for people.
    pub reason: String,
}

/// Judges a resource by a check.
pub fn judge(check: &Check, env: &Env<'_>) -> Judgement {
    let applies = check.applies.as_ref().map_or((Truth::True, Vec::new()), |applies| applies.truth(env));
    match applies {
        (Truth::True, _) => applied(check, env),
        (Truth::False, _) => Judgement {
            status: Status::NotApplicable,
            points: Points { low: 0, high: 0, max: 0 },
            criteria: Vec::new(),
            reason: match &check.not_applicable {
                Some(template) => template.fill(env),
                None => "Does not apply.".to_owned(),
            },
        },
        (Truth::Unknown, blame) => {
            let unknown: Vec<Unknown> = blame.into_iter().cloned().collect();
            let reason = format!("Whether this applies is not known: {}.", causes(&unknown));
            undecided(check, &unknown, reason)
        }
    }
}

/// A check of which nothing can be said. Its criteria count as unknown even where the facts would decide them: were it
/// to turn out not to apply, they would count neither way.
pub(super) fn undecided(check: &Check, unknown: &[Unknown], reason: String) -> Judgement {
    let max = check.max_points();
    let criteria = check.criteria.iter().map(|criterion| CriterionResult {
        expect: criterion.expect.text.clone(),
        required: match criterion.required {
            // Whether the check applies at all is not known, so neither is whether this decides.
            Required::Always | Required::When(_) => Truth::Unknown,
            Required::Never => Truth::False,
        },
        status: Truth::Unknown,
        points: criterion.points,
        gap: None,
        unknown: unknown.to_vec(),
    });
    Judgement {
        status: Status::Unknown,
        points: Points { low: 0, high: max, max },
        criteria: criteria.collect(),
        reason,
    }
}

fn applied(check: &Check, env: &Env<'_>) -> Judgement {
    let criteria: Vec<CriterionResult> = check.criteria.iter().map(|criterion| result(criterion, env)).collect();
    let mut points = Points { low: 0, high: 0, max: check.max_points() };
    let (mut failed, mut open) = (false, false);
    for (criterion, result) in check.criteria.iter().zip(&criteria) {
        let (low, high) = earned(criterion, result);
        points.low += low;
        points.high += high;
        match (result.required, result.status) {
            (Truth::True, Truth::False) => failed = true,
            (Truth::False, _) | (_, Truth::True) => {}
            (Truth::True, Truth::Unknown) | (Truth::Unknown, Truth::False | Truth::Unknown) => open = true,
        }
    }
    let status = match (failed, open) {
        (true, _) => Status::Fail,
        (false, true) => Status::Unknown,
        (false, false) => Status::Pass,
    };
    let reason = reason(check, status, &criteria);
    Judgement { status, points, criteria, reason }
}

fn result(criterion: &Criterion, env: &Env<'_>) -> CriterionResult {
    let (required, why_required) = match &criterion.required {
        Required::Always => (Truth::True, Vec::new()),
        Required::Never => (Truth::False, Vec::new()),
        Required::When(condition) => condition.truth(env),
    };
    let (status, mut blame) = criterion.expect.truth(env);
    if status != Truth::True {
        blame.extend(why_required.into_iter().filter(|unknown| !blame.contains(unknown)).collect::<Vec<_>>());
    }
    // Where the criterion asks nothing, nothing is missing.
    let asked = !matches!((&criterion.required, required), (Required::When(_), Truth::False));
    let gap = (status == Truth::False && asked).then(|| match &criterion.gap {
        Some(gap) => gap.fill(env),
        None => format!("`{}` does not hold.", criterion.expect.text),
    });
    CriterionResult {
        expect: criterion.expect.text.clone(),
        required,
        status,
        points: criterion.points,
        gap,
        unknown: blame.into_iter().cloned().collect(),
    }
}

/// Lowest and highest points. Where a criterion's condition is false its points are given: a region whose models take
/// no images loses none for not recording them.
fn earned(criterion: &Criterion, result: &CriterionResult) -> (u32, u32) {
    let points = criterion.points;
    let required = match criterion.required {
        Required::Always | Required::Never => Truth::True,
        Required::When(_) => result.required,
    };
    match (required, result.status) {
        (Truth::False, _) | (_, Truth::True) => (points, points),
        (Truth::True, Truth::False) => (0, 0),
        (Truth::True, Truth::Unknown) | (Truth::Unknown, Truth::False | Truth::Unknown) => (0, points),
    }
}

fn reason(check: &Check, status: Status, criteria: &[CriterionResult]) -> String {
    match status {
        Status::Fail => {
            let failed = criteria.iter().filter(|c| c.required == Truth::True && c.status == Truth::False);
            let mut gaps: Vec<&str> = failed.filter_map(|criterion| criterion.gap.as_deref()).collect();
            gaps.dedup();
            gaps.join(" ")
        }
        Status::Unknown => {
            let open = criteria.iter().filter(|c| c.required != Truth::False && c.status != Truth::True);
            let mut unknown: Vec<Unknown> = Vec::new();
            for cause in open.flat_map(|criterion| &criterion.unknown) {
                if !unknown.contains(cause) {
                    unknown.push(cause.clone());
                }
            }
            format!("Could not be read: {}.", causes(&unknown))
        }
        Status::Pass | Status::NotApplicable => match check.title.ends_with(['.', '!', '?']) {
            true => check.title.clone(),
            false => format!("{}.", check.title),
        },
    }
}

/// The first causes, and how many more there are.
pub(super) fn causes(unknown: &[Unknown]) -> String {
    let mut sentences: Vec<String> = Vec::new();
    for sentence in unknown.iter().map(Unknown::sentence) {
        if !sentences.contains(&sentence) {
            sentences.push(sentence);
        }
    }
    let more = sentences.len().saturating_sub(MAX_CAUSES);
    sentences.truncate(MAX_CAUSES);
    let named = sentences.join("; ");
    if more > 0 { format!("{named}; and {more} more") } else { named }
}
