//! Where judged accounts go: one after the other, so that no more of them is in memory than is being worked on.
//!
//! What becomes of a portion is up to the output; on disk that is `files`' business.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use crate::finding::Finding;
use crate::model::ids::AccountId;
use crate::results::{AccountResult, Failure, OpenPopulation, QuestionResult, RegionCoverage, Results, SourceResult};

/// What one account brings to each list of results. Lists go on where the last portion's ended, all but that of the
/// accounts, which stand in the order of the organization.
#[derive(Clone, Debug, PartialEq)]
pub struct Portion {
    pub account: AccountId,
    /// None for an account that the organization does not list.
    pub result: Option<AccountResult>,
    pub findings: Vec<Finding>,
    pub questions: Vec<QuestionResult>,
    pub sources: Vec<SourceResult>,
    pub denied: Vec<Failure>,
    pub failed: Vec<Failure>,
    pub regions: Option<RegionCoverage>,
    pub populations: Vec<OpenPopulation>,
}

/// Takes portions in the order of their accounts' ids.
pub trait Output {
    /// A portion as it is kept.
    type Piece: Send;
    type Error: Send;

    /// Brings a portion into the form it is kept in; on any thread.
    fn piece(portion: Portion) -> Self::Piece;

    /// Takes the next one.
    ///
    /// # Errors
    /// It cannot be kept.
    fn take(&mut self, piece: Self::Piece) -> Result<(), Self::Error>;
}

/// Keeps everything in memory.
pub(super) struct Collected<E> {
    lists: Lists,
    error: PhantomData<fn() -> E>,
}

#[derive(Default)]
struct Lists {
    accounts: BTreeMap<AccountId, AccountResult>,
    findings: Vec<Finding>,
    questions: Vec<QuestionResult>,
    sources: Vec<SourceResult>,
    denied: Vec<Failure>,
    failed: Vec<Failure>,
    regions: Vec<RegionCoverage>,
    populations: Vec<OpenPopulation>,
}

impl<E> Collected<E> {
    pub(super) fn new() -> Self {
        Self { lists: Lists::default(), error: PhantomData }
    }

    /// Puts the lists into results whose own are empty, accounts in the order given.
    pub(super) fn into(self, mut results: Results, order: impl Iterator<Item = AccountId>) -> Results {
        let mut lists = self.lists;
        results.accounts = order.filter_map(|id| lists.accounts.remove(&id)).collect();
        results.findings = lists.findings;
        results.questions = lists.questions;
        results.sources = lists.sources;
        results.coverage.denied = lists.denied;
        results.coverage.failed = lists.failed;
        results.coverage.regions = lists.regions;
        results.coverage.populations = lists.populations;
        results
    }
}

impl<E: Send> Output for Collected<E> {
    type Piece = Portion;
    type Error = E;

    fn piece(portion: Portion) -> Portion {
        portion
    }

    fn take(&mut self, portion: Portion) -> Result<(), E> {
        let lists = &mut self.lists;
        lists.accounts.extend(portion.result.map(|result| (portion.account, result)));
        lists.findings.extend(portion.findings);
        lists.questions.extend(portion.questions);
        lists.sources.extend(portion.sources);
        lists.denied.extend(portion.denied);
        lists.failed.extend(portion.failed);
        lists.regions.extend(portion.regions);
        lists.populations.extend(portion.populations);
        Ok(())
    }
}
