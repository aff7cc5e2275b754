//! SEAM: where the evidence graph is joined on. Until `relate` builds it, an account has no resources and whether it
//! runs AI is unknown, which every result then says.

use crate::files::{SnapshotError, SnapshotReader};
use crate::inventory::{AccountFacts, not_collected};
use crate::model::value::Judged;
use crate::relate::kinds::AccountView;
use crate::relate::subject::AccountGraph;

/// What of all accounts one account's graph needs.
pub(super) struct Index;

pub(super) fn index(_reader: &SnapshotReader) -> Result<Index, SnapshotError> {
    Ok(Index)
}

pub(super) fn of_account(_index: &Index, facts: &AccountFacts) -> AccountGraph {
    let has_ai = Err(not_collected("").in_account(&facts.account));
    let view = AccountView { id: facts.account.clone(), name: None, has_ai: has_ai.clone() };
    AccountGraph {
        account: facts.account.clone(),
        view: view.value(),
        has_ai,
        resources: Vec::new(),
        subjects: Vec::new(),
        open: Vec::new(),
    }
}
