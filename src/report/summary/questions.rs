//! Questions counted by verdict and account; of each the answers that are worst.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use super::Top;
use super::accounts::Number;
use crate::model::ids::AccountId;
use crate::results::{PermissionNeed, QuestionResult, Verdict};

/// Answers kept in full, of each question.
pub(crate) const EXPLAINED: usize = 40;
/// Fixes, permissions, and accounts of a permission, kept of an answer.
const KEPT: usize = 8;

/// By scenario, and question in it.
#[derive(Default)]
pub(crate) struct Answers(BTreeMap<String, BTreeMap<String, OfQuestion>>);

/// What a question came to.
pub(crate) struct OfQuestion {
    /// Verdict and low bound of every account.
    pub(crate) all: BTreeMap<Number, (Verdict, f64)>,
    pub(crate) worst: Top<Answer>,
}

/// A question asked of one account; of its fixes and permissions the first, which stand here and not in `result`.
pub(crate) struct Answer {
    pub(crate) result: QuestionResult,
    pub(crate) fixes_more: usize,
    pub(crate) needs: Vec<Need>,
    pub(crate) needs_more: usize,
}

/// A permission, over the accounts it is missing in.
pub(crate) struct Need {
    pub(crate) action: String,
    pub(crate) note: Option<String>,
    pub(crate) accounts: Vec<AccountId>,
    pub(crate) accounts_more: usize,
}

impl Answers {
    pub(crate) fn add(&mut self, account: Number, question: QuestionResult) {
        let of_scenario = self.0.entry(question.scenario.clone()).or_default();
        let of_question = of_scenario
            .entry(question.id.clone())
            .or_insert_with(|| OfQuestion { all: BTreeMap::new(), worst: Top::new(EXPLAINED, by_urgency) });
        of_question.all.insert(account, (question.verdict, question.low));
        of_question.worst.add(Answer::from(question));
    }

    pub(crate) fn get(&self, scenario: &str, question: &str) -> Option<&OfQuestion> {
        self.0.get(scenario)?.get(question)
    }
}

impl From<QuestionResult> for Answer {
    fn from(mut result: QuestionResult) -> Self {
        let fixes_more = result.fixes.len().saturating_sub(KEPT);
        result.fixes.truncate(KEPT);
        let mut folded: BTreeMap<(String, Option<String>), BTreeSet<AccountId>> = BTreeMap::new();
        for PermissionNeed { action, account, note } in std::mem::take(&mut result.permissions) {
            folded.entry((action, note)).or_default().insert(account);
        }
        let needs_more = folded.len().saturating_sub(KEPT);
        let needs = folded
            .into_iter()
            .take(KEPT)
            .map(|((action, note), accounts)| Need {
                action,
                note,
                accounts_more: accounts.len().saturating_sub(KEPT),
                accounts: accounts.into_iter().take(KEPT).collect(),
            })
            .collect();
        Self { result, fixes_more, needs, needs_more }
    }
}

/// Worst first: what needs somebody, then what is in order.
fn by_urgency(a: &Answer, b: &Answer) -> Ordering {
    let (a, b) = (&a.result, &b.result);
    urgency(a.verdict).cmp(&urgency(b.verdict)).then(a.low.total_cmp(&b.low)).then_with(|| a.account.cmp(&b.account))
}

fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::No => 0,
        Verdict::CannotTell => 1,
        Verdict::Partly => 2,
        Verdict::NotJudged => 3,
        Verdict::Yes => 4,
        Verdict::NotApplicable => 5,
    }
}
