//! What to do about it: the cheapest fixes that turn a question to yes, permissions that settle what is unknown,
//! and the fixes that raise the score of the organization most.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rayon::prelude::*;

use crate::finding::{Dimension, Source, Status, Truth};
use crate::inventory::operations;
use crate::model::ids::AccountId;
use crate::model::observed::{Unknown, Why};
use crate::model::severity::Severity;
use crate::model::time::Timestamp;
use crate::results::{CheckInfo, FixRef, FixSuggestion, PermissionNeed, Verdict};

use super::combine::{self, Grade, Measure, Weighed};
use super::measure::{Backing, Carried, Index, Ruleset};
use super::question::{self, Answer, Prepared, PreparedSubject, Sources};
use super::scenarios::{Question, Scenario};

/// Suggestions listed; the rest gains less.
pub const MAX_SUGGESTIONS: usize = 200;

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
    let fixes: BTreeSet<FixRef> = chosen.iter().flat_map(|way| &way.fixes).map(|at| fix_ref(*at, index)).collect();
    fixes.into_iter().collect()
}

fn fix_ref(at: u32, index: &Index) -> FixRef {
    let finding = &index.findings[at as usize];
    FixRef {
        check: finding.check.clone(),
        account: finding.account.clone(),
        resource: finding.resource.clone(),
        finding: finding.id.clone(),
    }
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
        let summary = &index.summaries[*at as usize];
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
                let finding = &index.findings[*at as usize];
                let criteria = finding.criteria.iter().filter(|criterion| criterion.required != Truth::False);
                for unknown in criteria.flat_map(|criterion| &criterion.unknown) {
                    needs.extend(need(unknown, &finding.account));
                }
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
        Why::Denied | Why::NotEntered => None,
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

/// The permission an account that was not entered lacks.
pub(super) const ENTER: &str = "enter the account";

/// An account as the mean of the organization takes it.
pub(super) struct Scored<'a> {
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) measured: &'a [Sources],
    pub(super) answers: &'a [Vec<Answer>],
    /// Its position among the items of the mean; none where its score does not follow from its questions.
    pub(super) item: Option<usize>,
}

/// Everything a suggestion is worked out from.
pub(super) struct Board<'a> {
    pub(super) scenarios: &'a [Scenario],
    pub(super) checks: &'a [CheckInfo],
    pub(super) index: &'a Index<'a>,
    pub(super) ruleset: &'a Ruleset,
    pub(super) as_of: Timestamp,
    pub(super) accounts: &'a [Scored<'a>],
    /// The items of the organization's mean, 0 to 1.
    pub(super) items: &'a [Weighed],
}

/// Failing findings of one check in one account, waived ones left out.
struct Group<'a> {
    check: &'a str,
    account: &'a AccountId,
    severity: Severity,
    findings: u64,
    /// Account, subject and source whose evidence they are about, sorted.
    concerns: Vec<(usize, usize, Source)>,
}

/// What to do first: for each failing check and account, what the organization gains when it passes there.
pub(super) fn suggestions(board: &Board) -> Vec<FixSuggestion> {
    let mut groups: Vec<Group> = Vec::new();
    let mut by_key: BTreeMap<(&str, &AccountId), u32> = BTreeMap::new();
    let mut group_of: HashMap<u32, u32> = HashMap::new();
    for (at, finding) in board.index.findings.iter().enumerate() {
        let waived = finding.exception.as_ref().is_some_and(|exception| exception.active);
        if finding.status != Status::Fail || waived {
            continue;
        }
        let number = *by_key.entry((&finding.check, &finding.account)).or_insert_with(|| {
            groups.push(Group {
                check: &finding.check,
                account: &finding.account,
                severity: finding.severity,
                findings: 0,
                concerns: Vec::new(),
            });
            groups.len() as u32 - 1
        });
        groups[number as usize].findings += 1;
        group_of.insert(at as u32, number);
    }
    for (a, scored) in board.accounts.iter().enumerate() {
        for (s, subject) in scored.prepared.subjects.iter().enumerate() {
            for source in Source::ALL {
                let Some(Carried::Parts(parts)) = &subject.carried[source as usize] else { continue };
                for (at, _) in parts.iter().flatten().flat_map(|backing| &backing.findings) {
                    if let Some(number) = group_of.get(at) {
                        let concerns = &mut groups[*number as usize].concerns;
                        if concerns.last() != Some(&(a, s, source)) {
                            concerns.push((a, s, source));
                        }
                    }
                }
            }
        }
    }

    let titles: HashMap<&str, &str> = board.checks.iter().map(|c| (c.id.as_str(), c.title.as_str())).collect();
    let before = combine::mean(board.items).map_or(0.0, |mean| mean.low);
    let mut suggestions: Vec<(Severity, FixSuggestion)> = groups
        .par_iter()
        .enumerate()
        .map(|(number, group)| {
            let fixed = |at: u32| group_of.get(&at) == Some(&(number as u32));
            let (gain, questions) = gain(board, group, before, fixed);
            let suggestion = FixSuggestion {
                check: group.check.to_owned(),
                title: titles.get(group.check).map_or(group.check, |title| title).to_owned(),
                account: group.account.clone(),
                findings: group.findings,
                gain,
                questions,
            };
            (group.severity, suggestion)
        })
        .collect();
    suggestions.sort_by(|(a_severity, a), (b_severity, b)| {
        b.gain
            .total_cmp(&a.gain)
            .then(b_severity.cmp(a_severity))
            .then_with(|| (&a.check, &a.account).cmp(&(&b.check, &b.account)))
    });
    suggestions.truncate(MAX_SUGGESTIONS);
    suggestions.into_iter().map(|(_, suggestion)| suggestion).collect()
}

/// Points gained, and must-have questions turned to yes somewhere, when the findings of a group pass. Only what
/// they concern is measured again.
fn gain(board: &Board, group: &Group, before: f64, fixed: impl Fn(u32) -> bool) -> (f64, Vec<String>) {
    let mut items = board.items.to_vec();
    let mut turned: BTreeSet<&str> = BTreeSet::new();
    for concerns in group.concerns.chunk_by(|a, b| a.0 == b.0) {
        let Some((a, _, _)) = concerns.first() else { continue };
        let scored = &board.accounts[*a];
        let mut measured = scored.measured.to_vec();
        for (_, s, source) in concerns {
            let subject = &scored.prepared.subjects[*s];
            measured[*s][*source as usize] =
                question::source(subject, *source, board.index, board.ruleset, board.as_of, &fixed);
        }
        let answers = question::answers(board.scenarios, scored.prepared, &measured, board.ruleset);
        for (scenario, (old, new)) in board.scenarios.iter().zip(scored.answers.iter().zip(&answers)) {
            for (question, (old, new)) in scenario.questions.iter().zip(old.iter().zip(new)) {
                if question.must_have && new.verdict == Verdict::Yes && old.verdict != Verdict::Yes {
                    turned.insert(&question.id);
                }
            }
        }
        if let (Some(item), Some(mean)) = (scored.item, question::account(board.scenarios, &answers)) {
            items[item] = mean.item();
        }
    }
    let after = combine::mean(&items).map_or(0.0, |mean| mean.low);
    let gain = (after - before) * 100.0;
    // What is left of rounding is no gain.
    let gain = if gain < 1e-9 { 0.0 } else { gain };
    (gain, turned.into_iter().map(str::to_owned).collect())
}
