//! What to do about it, seen from one account: the cheapest fixes that turn a question to yes, permissions that settle
//! what is unknown, and what fixes change. What that means for the organization is `organization`'s.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::finding::{Dimension, Source};
use crate::inventory::operations;
use crate::model::ids::AccountId;
use crate::model::observed::{Unknown, Why};
use crate::results::{FixRef, PermissionNeed, Verdict};

use super::Scoring;
use super::combine::{Grade, Mean, Measure};
use super::measure::{Backing, Carried, Index};
use super::question::{self, Answer, Prepared, PreparedSubject, Sources};
use super::scenarios::Question;

/// Times each subject's choice is looked at again after the others have chosen.
const ROUNDS: usize = 3;

/// A way to make the answer about one subject whole.
#[derive(Clone, Default)]
struct Way {
    /// Failing findings to fix.
    fixes: BTreeSet<u32>,
    /// Things that are not known on it, which no fix but a permission settles.
    unknown: usize,
}

impl Way {
    /// Lower is better: certain ones first, then the fewest fixes that are not being made anyway.
    fn cost(&self, made: &impl Fn(u32) -> bool) -> (bool, usize, usize, usize) {
        let new = self.fixes.iter().filter(|fix| !made(**fix)).count();
        (self.unknown > 0, new, self.unknown, self.fixes.len())
    }
}

/// The smallest set of failing findings whose fixing turns the question to yes: each subject takes the path and
/// alternative that need the fewest fixes beyond those others need, looked at again until nothing improves. Where
/// parts of that path are unknown, the permissions of the question belong to the set. Empty when it is yes already
/// or nothing can turn it.
pub(super) fn cheapest(question: &Question, account: &Prepared, measured: &[Sources], index: &Index) -> Vec<FixRef> {
    let mut asked: Vec<&PreparedSubject> = Vec::new();
    for (subject, sources) in account.subjects.iter().zip(measured) {
        let kind = subject.subject.kind;
        let answered = |m: Measure| m.grade_low >= Grade::Answers;
        if question.asks_of.contains(&kind) && question::ask(question, kind, sources).is_some_and(|m| !answered(m)) {
            asked.push(subject);
        }
    }
    let mut made: HashMap<u32, usize> = HashMap::new();
    let mut chosen: Vec<Way> = vec![Way::default(); asked.len()];
    for _ in 0..ROUNDS {
        let mut changed = false;
        for (subject, way) in asked.iter().zip(&mut chosen) {
            for fix in &way.fixes {
                made.entry(*fix).and_modify(|users| *users -= 1);
            }
            let Some(best) = cheapest_way(question, subject, index, &|fix| made.get(&fix).is_some_and(|n| *n > 0))
            else {
                return Vec::new();
            };
            changed |= best.fixes != way.fixes;
            for fix in &best.fixes {
                *made.entry(*fix).or_insert(0) += 1;
            }
            *way = best;
        }
        if !changed {
            break;
        }
    }
    let fixes: BTreeSet<&FixRef> =
        chosen.iter().flat_map(|way| &way.fixes).filter_map(|at| index.entry(*at).fix.as_deref()).collect();
    fixes.into_iter().cloned().collect()
}

fn cheapest_way(
    question: &Question,
    subject: &PreparedSubject,
    index: &Index,
    made: &impl Fn(u32) -> bool,
) -> Option<Way> {
    question::primary(question)
        .filter(|path| path.concerns(subject.subject.kind))
        .filter_map(|path| {
            let mut way = Way::default();
            for source in &path.sources {
                match &subject.carried[*source as usize] {
                    Some(Carried::Parts(parts)) => add_parts(&mut way, parts, index, made)?,
                    Some(Carried::Inherent) => {}
                    Some(Carried::NotRecordable | Carried::NotJudged) | None => return None,
                }
            }
            Some(way)
        })
        .min_by_key(|way| way.cost(made))
}

/// Adds what each part needs at its cheapest; none when nothing judges any of them.
fn add_parts(way: &mut Way, parts: &[Vec<Backing>], index: &Index, made: &impl Fn(u32) -> bool) -> Option<()> {
    let mut judged = false;
    for part in parts {
        let known = |fix: u32| made(fix) || way.fixes.contains(&fix);
        let best = part
            .iter()
            .filter(|backing| !backing.findings.is_empty())
            .map(|backing| through(backing, index))
            .min_by_key(|candidate| candidate.cost(&known));
        if let Some(best) = best {
            judged = true;
            way.unknown += best.unknown;
            way.fixes.extend(best.fixes);
        }
    }
    judged.then_some(())
}

fn through(backing: &Backing, index: &Index) -> Way {
    let mut way = Way { unknown: usize::from(!backing.certain), ..Way::default() };
    for (at, certain) in &backing.findings {
        let summary = &index.entry(*at).summary;
        // How well evidence is protected decides tiers, not the answer.
        if summary.dimension == Dimension::Integrity {
            continue;
        }
        if !certain || summary.unknown {
            way.unknown += 1;
        } else if summary.fails {
            way.fixes.insert(*at);
        }
    }
    way
}

/// Permissions that would settle what is unknown about a question, sorted.
pub(super) fn permissions(
    question: &Question,
    answer: &Answer,
    account: &Prepared,
    measured: &[Sources],
    index: &Index,
) -> Vec<PermissionNeed> {
    let mut needs = BTreeSet::new();
    for (prepared, sources) in account.subjects.iter().zip(measured) {
        let kind = prepared.subject.kind;
        let settled = |m: Measure| m.low == m.high && m.grade_low == m.grade_high && m.sure;
        if !question.asks_of.contains(&kind) || question::ask(question, kind, sources).is_none_or(settled) {
            continue;
        }
        let used = question.paths.iter().filter(|path| path.concerns(kind)).flat_map(|path| &path.sources);
        for source in used {
            let Some(Carried::Parts(parts)) = &prepared.carried[*source as usize] else { continue };
            for (at, _) in parts.iter().flatten().flat_map(|backing| &backing.findings) {
                needs.extend(index.entry(*at).needs.iter().cloned());
            }
        }
    }
    if answer.open {
        for open in account.input.open {
            if open.subjects.iter().any(|kind| question.asks_of.contains(kind)) {
                needs.extend(need(&open.unknown, &open.account));
            }
        }
    }
    if let Err(unknown) = account.input.has_ai {
        needs.extend(need(unknown, account.input.account));
    }
    needs.into_iter().collect()
}

/// What would have to be granted for something to become known; none when no permission helps, as when AWS
/// throttled the call.
pub(super) fn need(unknown: &Unknown, account: &AccountId) -> Option<PermissionNeed> {
    let account = unknown.account.as_ref().map_or(account, |account| account).clone();
    let note = match unknown.why {
        Why::Denied | Why::NotEntered => unknown.message.as_deref().and_then(other_policy),
        Why::DeniedByScp => {
            Some("a service control policy denies it, so that granting the role more does not help".into())
        }
        Why::RegionDisabled => Some(match &unknown.region {
            Some(region) => format!("region {region} is not enabled for the account"),
            None => "the region is not enabled for the account".to_owned(),
        }),
        _ => return None,
    };
    let action = match unknown.why {
        Why::NotEntered => ENTER,
        _ if unknown.call == "sts:AssumeRole" => ENTER,
        _ => operations::action(&unknown.call)?,
    };
    Some(PermissionNeed { action: action.to_owned(), account, note })
}

/// Which policy other than the role's own denies something, where AWS names its kind
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>).
fn other_policy(message: &str) -> Option<String> {
    let kinds = [
        "resource control policy",
        "resource-based policy",
        "permissions boundary",
        "session policy",
        "VPC endpoint policy",
    ];
    let named = kinds.into_iter().find(|kind| message.contains(&format!("explicit deny in a {kind}")));
    if let Some(kind) = named {
        return Some(format!("a {kind} denies it, so that granting the role more does not help"));
    }
    let lacking = kinds.into_iter().find(|kind| message.contains(&format!("no {kind} allows")))?;
    Some(format!("AWS says that no {lacking} allows it: the role's own may not be what is missing"))
}

/// The permission an account that was not entered lacks.
pub(super) const ENTER: &str = "enter the account";

/// What becomes of one account when the failing findings of one check in one account, waived ones left out, pass.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) check: String,
    /// Whose findings they are; the change may be in another account.
    pub(super) account: AccountId,
    /// The mean of the account over its questions; none when no question weighs.
    pub(super) mean: Option<Mean>,
    /// Must-have questions that turn to yes, by their position among all questions of all scenarios.
    pub(super) turned: Vec<u16>,
}

/// What each fix that concerns the account changes in it. Only what it concerns is measured again.
pub(super) fn changes(
    scoring: &Scoring,
    account: &Prepared,
    measured: &[Sources],
    answers: &[Vec<Answer>],
    index: &Index,
) -> Vec<Change> {
    let mut numbers: BTreeMap<(&str, &AccountId), usize> = BTreeMap::new();
    // By number, which subjects' sources the fix is about, and for each finding its number.
    let mut concerns: Vec<Vec<(usize, Source)>> = Vec::new();
    let mut fix_of: HashMap<u32, usize> = HashMap::new();
    for (s, subject) in account.subjects.iter().enumerate() {
        for source in Source::ALL {
            let Some(Carried::Parts(parts)) = &subject.carried[source as usize] else { continue };
            for (at, _) in parts.iter().flatten().flat_map(|backing| &backing.findings) {
                let entry = index.entry(*at);
                let Some(fix) = entry.fix.as_deref().filter(|_| !entry.waived) else { continue };
                let number = *numbers.entry((&fix.check, &fix.account)).or_insert(concerns.len());
                if number == concerns.len() {
                    concerns.push(Vec::new());
                }
                fix_of.insert(*at, number);
                if concerns[number].last() != Some(&(s, source)) {
                    concerns[number].push((s, source));
                }
            }
        }
    }
    let mut changes = Vec::new();
    for ((check, of), number) in numbers {
        let mut measured = measured.to_vec();
        for (s, source) in &concerns[number] {
            let fixed = |at: u32| fix_of.get(&at) == Some(&number);
            measured[*s][*source as usize] =
                question::source(&account.subjects[*s], *source, index, &scoring.ruleset, scoring.as_of, fixed);
        }
        let new = question::answers(scoring.scenarios, account, &measured, &scoring.ruleset);
        let questions = scoring.scenarios.iter().flat_map(|scenario| &scenario.questions);
        let turned = questions.zip(answers.iter().flatten().zip(new.iter().flatten())).enumerate().filter(
            |(_, (question, (old, new)))| {
                question.must_have && new.verdict == Verdict::Yes && old.verdict != Verdict::Yes
            },
        );
        changes.push(Change {
            check: check.to_owned(),
            account: of.clone(),
            turned: turned.filter_map(|(position, _)| u16::try_from(position).ok()).collect(),
            mean: question::account(scoring.scenarios, &new),
        });
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_that_is_not_the_roles_is_named() {
        let note = |message: &str| {
            let unknown = Unknown::new("kms:DescribeKey", Why::Denied).saying(message);
            need(&unknown, &"111111111111".into()).expect("a need").note.unwrap_or_default()
        };
        let by = |rest: &str| note(&format!("AccessDeniedException: User: arn is not authorized to perform: x {rest}"));
        assert_eq!(by("because no identity-based policy allows the x action"), "");
        assert!(by("with an explicit deny in a resource control policy").starts_with("a resource control policy"));
        assert!(by("because no resource-based policy allows the x action").contains("no resource-based policy"));
    }
}
