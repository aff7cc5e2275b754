//! The tier of an account in a scenario, by the must-have questions of the scenario, and what keeps it there.

use crate::config::Requirements;
use crate::model::time::Timestamp;
use crate::results::{Plane, Tier, TierInterval, Verdict};

use super::combine::{Grade, Lacks};
use super::question::Answer;
use super::scenarios::{Question, Scenario};

type Asked<'a> = (&'a Question, &'a Answer);

/// The tier of a scenario; none where none of its must-have questions applies.
///
/// R1 asks for the control-plane ones. Where a scenario has none that applies, it asks for all: a rung that asks for
/// nothing would be reached by everyone.
pub(super) fn of(
    scenario: &Scenario,
    answers: &[Answer],
    requirements: &Requirements,
    as_of: Timestamp,
) -> Option<TierInterval> {
    let must: Vec<Asked> = scenario
        .questions
        .iter()
        .zip(answers)
        .filter(|(question, answer)| question.must_have && answer.verdict != Verdict::NotApplicable)
        .collect();
    if must.is_empty() {
        return None;
    }
    let (left_out, judged): (Vec<Asked>, Vec<Asked>) =
        must.iter().copied().partition(|(_, answer)| answer.verdict == Verdict::NotJudged);
    let cap = |caps: bool| if caps { Tier::R2 } else { Tier::R3 };
    let top = cap(!left_out.is_empty());
    // One that is asked of nothing in sight may come not to apply, and then caps nothing.
    let top_at_best = cap(judged.is_empty() || left_out.iter().any(|(_, answer)| answer.subjects > 0));

    let first: Vec<Asked> = first_rung(&judged, |answer| answer.sure);
    // A tier needs a question that is surely judged.
    let low = if !judged.iter().any(|(_, answer)| answer.sure) {
        Tier::R0
    } else {
        rung(&judged, &first, |answer| answer.grade_low).min(top)
    };
    let first_at_best: Vec<Asked> = first_rung(&judged, |_| true);
    let high = rung(&judged, &first_at_best, at_best).min(top_at_best);

    let required = requirements.retention_days * 86_400;
    let young = |answer: &Answer| answer.since.is_none_or(|since| as_of.since(since) < required);
    Some(TierInterval {
        low,
        high,
        design_only: high >= Tier::R2 && (judged.is_empty() || judged.iter().any(|(_, answer)| young(answer))),
        capped_by: capped_by(low, &judged, &left_out, &first, requirements),
    })
}

/// The questions R1 asks for.
fn first_rung<'a>(judged: &[Asked<'a>], counts: impl Fn(&Answer) -> bool) -> Vec<Asked<'a>> {
    let control = |(question, _): &&Asked| question.plane == Plane::Control;
    if judged.iter().filter(control).any(|(_, answer)| counts(answer)) {
        judged.iter().filter(control).copied().collect()
    } else {
        judged.to_vec()
    }
}

fn rung(judged: &[Asked], first: &[Asked], grade: impl Fn(&Answer) -> Grade) -> Tier {
    let reach = |asked: &[Asked], wanted: Grade| asked.iter().all(|(_, answer)| grade(answer) >= wanted);
    if reach(judged, Grade::Sealed) {
        Tier::R3
    } else if reach(judged, Grade::Kept) {
        Tier::R2
    } else if reach(first, Grade::Answers) {
        Tier::R1
    } else {
        Tier::R0
    }
}

/// What may be left out as not judged asks for nothing then, and allows R2.
fn at_best(answer: &Answer) -> Grade {
    if answer.sure || answer.open { answer.grade_high } else { answer.grade_high.max(Grade::Kept) }
}

/// One sentence for each question that keeps `low` from the next tier.
fn capped_by(
    low: Tier,
    judged: &[Asked],
    left_out: &[Asked],
    first: &[Asked],
    requirements: &Requirements,
) -> Vec<String> {
    let (asked, wanted) = match low {
        Tier::R0 => (first, Grade::Answers),
        Tier::R1 => (judged, Grade::Kept),
        Tier::R2 => (judged, Grade::Sealed),
        Tier::R3 => return Vec::new(),
    };
    let mut sentences: Vec<String> = asked
        .iter()
        .filter(|(_, answer)| answer.grade_low < wanted)
        .map(|(question, answer)| format!("{}: {}", question.id, obstacles(answer, wanted, requirements)))
        .collect();
    if low == Tier::R2 || judged.is_empty() {
        sentences.extend(left_out.iter().map(|(question, _)| format!("{}: nothing judges it yet", question.id)));
    }
    sentences
}

fn obstacles(answer: &Answer, wanted: Grade, requirements: &Requirements) -> String {
    let days = format!("evidence is not kept for {} days", requirements.retention_days);
    let table: [(Lacks, Grade, &str); 7] = [
        (Lacks::NOT_RECORDABLE, Grade::Answers, "AWS does not record it for every subject"),
        (Lacks::PLACE, Grade::Answers, "evidence is missing or incomplete"),
        (Lacks::NINETY_DAYS, Grade::Answers, "evidence is not kept for 90 days"),
        (Lacks::REQUIRED_DAYS, Grade::Kept, &days),
        (Lacks::VALIDATION, Grade::Kept, "log files are not validated"),
        (Lacks::PROTECTION, Grade::Sealed, "evidence can be changed or deleted"),
        (Lacks::NOT_JUDGED, Grade::Sealed, "something about it is not judged yet"),
    ];
    let words: Vec<&str> = table
        .iter()
        .filter(|(lack, at, _)| answer.lacks.has(*lack) && *at <= wanted && *at > answer.grade_low)
        .map(|(_, _, words)| *words)
        .chain(answer.lacks.has(Lacks::UNKNOWN).then_some("something about it is not known"))
        .collect();
    if words.is_empty() { answer.verdict.word().to_owned() } else { words.join("; ") }
}
