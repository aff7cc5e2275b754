//! Conjunction and disjunction over things that may not be known.

use crate::model::observed::{Told, Unknown};

/// True when one is true, whatever else is unknown; false only when all are.
pub(crate) fn any(parts: impl IntoIterator<Item = Told<bool>>) -> Told<bool> {
    decide(parts, true)
}

/// False when one is false, whatever else is unknown; true only when all are.
pub(crate) fn all(parts: impl IntoIterator<Item = Told<bool>>) -> Told<bool> {
    decide(parts, false)
}

pub(crate) fn not(part: Told<bool>) -> Told<bool> {
    part.map(|truth| !truth)
}

fn decide(parts: impl IntoIterator<Item = Told<bool>>, decisive: bool) -> Told<bool> {
    let mut unknown: Option<Unknown> = None;
    for part in parts {
        match part {
            Ok(truth) if truth == decisive => return Ok(decisive),
            Ok(_) => {}
            Err(why) => unknown = unknown.or(Some(why)),
        }
    }
    unknown.map_or(Ok(!decisive), Err)
}

/// May it be true?
pub(crate) fn possible(truth: &Told<bool>) -> bool {
    !matches!(truth, Ok(false))
}
