//! The question matrix and what stands behind each of its cells.

use std::collections::BTreeSet;

use serde::Serialize;

use super::{AccountRef, CheckRef, Context, anchor, name, score};
use crate::finding::Source;
use crate::model::ids::AccountId;
use crate::report::summary::questions::{Answer, Need, OfQuestion};
use crate::results::{FixRef, Plane, QuestionInfo, QuestionResult, ScenarioInfo, Verdict};

/// All of it, but for what rounding takes.
const WHOLE: f64 = 1.0 - 1e-9;

#[derive(Debug, Serialize)]
pub(crate) struct QuestionsView {
    /// How many accounts have AI, or may.
    pub(crate) accounts: usize,
    /// Those accounts; with more than fit as columns there are none, and questions are told by verdict.
    pub(crate) columns: Vec<AccountRef>,
    pub(crate) wide: bool,
    pub(crate) verdicts: Vec<VerdictView>,
    pub(crate) scenarios: Vec<ScenarioView>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct VerdictView {
    pub(crate) class: &'static str,
    pub(crate) word: &'static str,
}

#[derive(Debug, Serialize)]
pub(crate) struct ScenarioView {
    /// `S1 Unauthorized model access`.
    pub(crate) label: String,
    pub(crate) title: String,
    /// One count a verdict, in the order of `verdicts`, over questions and accounts.
    pub(crate) tally: Vec<u64>,
    pub(crate) questions: Vec<QuestionView>,
}

#[derive(Debug, Serialize)]
pub(crate) struct QuestionView {
    pub(crate) id: String,
    pub(crate) anchor: String,
    pub(crate) text: String,
    pub(crate) must_have: bool,
    pub(crate) plane: &'static str,
    /// One an account, in the order of `columns`; empty when the matrix is wide.
    pub(crate) cells: Vec<CellView>,
    /// One count a verdict, in the order of `verdicts`.
    pub(crate) tally: Vec<u64>,
    pub(crate) by_verdict: Vec<VerdictAccounts>,
    pub(crate) answers: Vec<AnswerView>,
    /// Answers that are not told in full.
    pub(crate) answers_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct CellView {
    pub(crate) account: AccountRef,
    /// None where the question was not asked of the account.
    pub(crate) verdict: Option<VerdictView>,
    pub(crate) percent: Option<String>,
    /// Answered yes, but by evidence that is kept too short or could be deleted.
    pub(crate) fragile: bool,
    pub(crate) anchor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct VerdictAccounts {
    pub(crate) verdict: VerdictView,
    pub(crate) count: usize,
    pub(crate) accounts: Vec<AccountRef>,
    pub(crate) more: usize,
}

/// A question asked of one account, in full.
#[derive(Debug, Serialize)]
pub(crate) struct AnswerView {
    pub(crate) anchor: String,
    pub(crate) account: AccountRef,
    pub(crate) verdict: VerdictView,
    pub(crate) percent: Option<String>,
    /// Answered yes, but by evidence that is kept too short or could be deleted.
    pub(crate) fragile: bool,
    /// Whether to speak of since when: there is evidence, in whole or in part.
    pub(crate) in_force: bool,
    pub(crate) since: Option<String>,
    pub(crate) subjects: u64,
    pub(crate) lowest: Option<LowestSubject>,
    pub(crate) not_recordable: Vec<String>,
    pub(crate) not_judged: Vec<String>,
    pub(crate) fixes: Vec<FixLink>,
    pub(crate) fixes_more: usize,
    pub(crate) permissions: Vec<PermissionView>,
    pub(crate) permissions_more: usize,
}

#[derive(Debug, Serialize)]
pub(crate) struct LowestSubject {
    pub(crate) kind: String,
    pub(crate) id: String,
    pub(crate) percent: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct FixLink {
    pub(crate) check: CheckRef,
    pub(crate) account: AccountRef,
    pub(crate) resource: String,
    /// Of the finding where it is shown in full, else of the check.
    pub(crate) anchor: Option<String>,
}

#[derive(Debug, Serialize)]
pub(crate) struct PermissionView {
    pub(crate) action: String,
    pub(crate) accounts: Vec<AccountRef>,
    pub(crate) accounts_more: usize,
    pub(crate) note: Option<String>,
}

/// The order verdicts are counted in.
pub(crate) const VERDICTS: [Verdict; 6] =
    [Verdict::Yes, Verdict::Partly, Verdict::No, Verdict::CannotTell, Verdict::NotApplicable, Verdict::NotJudged];

/// `detailed` holds the ids of findings shown in full, which fixes can link to.
pub(crate) fn questions(ctx: &Context<'_>, detailed: &BTreeSet<&str>) -> QuestionsView {
    let mut columns = ctx.lists.accounts.questioned();
    let accounts = columns.len();
    let wide = accounts > ctx.limits.matrix_columns;
    if wide {
        columns.clear();
    }
    let scenarios = ctx
        .lists
        .scenarios
        .iter()
        .map(|scenario| {
            let questions: Vec<QuestionView> =
                scenario.questions.iter().map(|info| question(ctx, scenario, info, &columns, detailed)).collect();
            let tally = (0..VERDICTS.len()).map(|i| questions.iter().filter_map(|q| q.tally.get(i)).sum()).collect();
            ScenarioView { label: label(scenario), title: scenario.title.clone(), tally, questions }
        })
        .collect();
    QuestionsView {
        accounts,
        columns: columns.iter().map(|id| ctx.account(id)).collect(),
        wide,
        verdicts: VERDICTS.map(verdict).to_vec(),
        scenarios,
    }
}

fn question(
    ctx: &Context<'_>,
    scenario: &ScenarioInfo,
    info: &QuestionInfo,
    columns: &[&AccountId],
    detailed: &BTreeSet<&str>,
) -> QuestionView {
    let asked = ctx.lists.answers.get(&scenario.id, &info.id);
    let worst = || asked.into_iter().flat_map(|of| of.worst.iter());
    // Without columns nothing links to an answer that is in order.
    let told: Vec<&Answer> = if columns.is_empty() {
        let wanting = |a: &&Answer| !matches!(a.result.verdict, Verdict::Yes | Verdict::NotApplicable);
        worst().filter(wanting).take(ctx.limits.explained).collect()
    } else {
        worst().collect()
    };
    let by_verdict = VERDICTS.map(|v| verdict_accounts(ctx, v, asked));
    QuestionView {
        id: info.id.clone(),
        anchor: anchor("q", &[&scenario.id, &info.id]),
        text: info.text.clone(),
        must_have: info.must_have,
        plane: match info.plane {
            Plane::Control => "control",
            Plane::Data => "data",
            Plane::Content => "content",
        },
        cells: columns.iter().map(|id| cell(ctx, id, worst().map(|a| &a.result).find(|q| q.account == **id))).collect(),
        tally: by_verdict.iter().map(|v| v.count as u64).collect(),
        by_verdict: by_verdict.into_iter().filter(|v| v.count > 0).collect(),
        answers_more: asked.map_or(0, |of| of.all.len()) - told.len(),
        answers: told.into_iter().map(|a| answer(ctx, a, detailed)).collect(),
    }
}

fn verdict_accounts(ctx: &Context<'_>, wanted: Verdict, asked: Option<&OfQuestion>) -> VerdictAccounts {
    let of_verdict = asked.into_iter().flat_map(|of| of.all.iter()).filter(|(_, (verdict, _))| *verdict == wanted);
    let mut all: Vec<&AccountId> = of_verdict.map(|(number, _)| &ctx.lists.accounts.get(*number).id).collect();
    all.sort_unstable();
    let count = all.len();
    let (accounts, more) = ctx.accounts(all, ctx.limits.named);
    VerdictAccounts { verdict: verdict(wanted), count, accounts, more }
}

fn cell(ctx: &Context<'_>, account: &AccountId, result: Option<&QuestionResult>) -> CellView {
    CellView {
        account: ctx.account(account),
        verdict: result.map(|q| verdict(q.verdict)),
        percent: result.and_then(percent),
        fragile: result.is_some_and(fragile),
        anchor: result.map(answer_anchor),
    }
}

fn answer(ctx: &Context<'_>, answer: &Answer, detailed: &BTreeSet<&str>) -> AnswerView {
    let q = &answer.result;
    AnswerView {
        anchor: answer_anchor(q),
        account: ctx.account(&q.account),
        verdict: verdict(q.verdict),
        percent: percent(q),
        fragile: fragile(q),
        in_force: matches!(q.verdict, Verdict::Yes | Verdict::Partly),
        since: q.since.map(|t| t.to_string()),
        subjects: q.subjects,
        // Where all is well, none is the weakest.
        lowest: q.lowest_subject.as_ref().filter(|s| s.low < WHOLE).map(|s| LowestSubject {
            kind: s.kind.replace('_', " "),
            id: name(s.id.as_str()),
            percent: score::percent(s.low, s.high),
        }),
        not_recordable: q.not_recordable.clone(),
        not_judged: not_judged(&q.not_judged),
        fixes: q.fixes.iter().map(|f| fix_link(ctx, f, detailed)).collect(),
        fixes_more: answer.fixes_more,
        permissions: answer.needs.iter().map(|need| permission(ctx, need)).collect(),
        permissions_more: answer.needs_more,
    }
}

fn fix_link(ctx: &Context<'_>, fix: &FixRef, detailed: &BTreeSet<&str>) -> FixLink {
    let check = ctx.check(&fix.check);
    let anchor =
        if detailed.contains(fix.finding.as_str()) { Some(anchor("f", &[&fix.finding])) } else { check.anchor.clone() };
    FixLink { check, account: ctx.account(&fix.account), resource: name(fix.resource.as_str()), anchor }
}

/// A yes says that the evidence is recorded; what it lacks to 100 % is how well it is kept.
fn fragile(q: &QuestionResult) -> bool {
    q.verdict == Verdict::Yes && q.low < WHOLE
}

/// `api-activity: fidelity` and `api-activity: access` as one line, under the name of the source.
fn not_judged(entries: &[String]) -> Vec<String> {
    let mut by_source: Vec<(&str, Vec<&str>)> = Vec::new();
    for entry in entries {
        let (source, dimension) = entry.split_once(": ").map_or((entry.as_str(), None), |(s, d)| (s, Some(d)));
        match by_source.iter_mut().find(|(known, _)| *known == source) {
            Some((_, dimensions)) => dimensions.extend(dimension),
            None => by_source.push((source, dimension.into_iter().collect())),
        }
    }
    by_source
        .into_iter()
        .map(|(id, dimensions)| {
            let title = Source::ALL.iter().find(|source| source.id() == id).map_or(id, |source| source.title());
            if dimensions.is_empty() { title.to_owned() } else { format!("{title}: {}", dimensions.join(", ")) }
        })
        .collect()
}

fn permission(ctx: &Context<'_>, need: &Need) -> PermissionView {
    PermissionView {
        action: need.action.clone(),
        accounts: need.accounts.iter().map(|id| ctx.account(id)).collect(),
        accounts_more: need.accounts_more,
        note: need.note.clone(),
    }
}

fn answer_anchor(q: &QuestionResult) -> String {
    anchor("qa", &[&q.scenario, &q.id, q.account.as_str()])
}

fn percent(q: &QuestionResult) -> Option<String> {
    match q.verdict {
        Verdict::Yes | Verdict::Partly | Verdict::No | Verdict::CannotTell => Some(score::percent(q.low, q.high)),
        Verdict::NotApplicable | Verdict::NotJudged => None,
    }
}

/// The short name of a scenario: `S1` of `s1-unauthorized-model-access`; its title where the id has no number.
pub(crate) fn code(scenario: &ScenarioInfo) -> String {
    let head = scenario.id.split('-').next().unwrap_or_default();
    match head.strip_prefix(['s', 'S']) {
        Some(digits) if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) => head.to_uppercase(),
        _ => scenario.title.clone(),
    }
}

fn label(scenario: &ScenarioInfo) -> String {
    let code = code(scenario);
    if code == scenario.title { code } else { format!("{code} {}", scenario.title) }
}

fn verdict(verdict: Verdict) -> VerdictView {
    let class = match verdict {
        Verdict::Yes => "yes",
        Verdict::Partly => "partly",
        Verdict::No => "no",
        Verdict::CannotTell => "cannot-tell",
        Verdict::NotApplicable => "not-applicable",
        Verdict::NotJudged => "not-judged",
    };
    VerdictView { class, word: verdict.word() }
}
