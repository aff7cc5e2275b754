//! Organizations too large for memory: what is judged account by account must come out as if all were at hand.

use std::convert::Infallible;
use std::io::Read;

use locard::assess::{self, Input};
use locard::check;
use locard::config::{Config, Gate};
use locard::files::{FileError, SnapshotError, Spool};
use locard::finding::Finding;
use locard::gate::{self, Tally};
use locard::inventory::organizations::Organization;
use locard::inventory::snapshot::Manifest;
use locard::model::ids::{AccountId, Partition};
use locard::model::observed::{Unknown, Why};
use locard::relate::graph;
use locard::relate::shared::Shared;
use locard::relate::subject::AccountGraph;
use locard::report::json;
use locard::results::{CheckInfo, GateVerdict, Results};
use locard::score::{self, AccountInput, scenarios};

use crate::synthetic::Synthetic;

/// Enough for every oddity to occur, in few regions.
fn organizations() -> [Synthetic; 2] {
    let organization = Synthetic { regions: 2, ..Synthetic::new(110) };
    [organization, Synthetic { management_locked: true, ..organization }]
}

fn with_input<T>(organization: Synthetic, judge: impl FnOnce(&Input<'_>, &Organization) -> T) -> T {
    let checks = check::load(&check::builtin_files()).unwrap();
    // In no order, as AWS lists them.
    let mut listed = organization.organization();
    listed.accounts.reverse();
    let manifest: Manifest = organization.manifest();
    let input = Input {
        manifest: &manifest,
        manifest_digest: "d",
        organization: &listed,
        config: &Config::default(),
        checks: &checks,
        scenarios: &scenarios::builtin(),
        ruleset_digest: "r",
        selected_checks: false,
        as_of: Synthetic::as_of(),
    };
    judge(&input, &listed)
}

fn judged(organization: Synthetic) -> Results {
    with_input(organization, |input, _| {
        let Ok(results) = assess::assess(input, &organization.ids(), |id| Ok::<_, Infallible>(organization.facts(id)));
        results
    })
}

#[test]
fn a_list_of_accounts_that_broke_off_decides_no_gate() {
    let organization = Synthetic::new(110);
    with_input(organization, |input, listed| {
        let unknown = Unknown::new("organizations:ListAccounts", Why::Throttled).saying("after 100 accounts");
        let mut listed = listed.clone();
        listed.listed = Err(unknown);
        listed.accounts.truncate(100);
        let ids: Vec<AccountId> = listed.accounts.iter().map(|account| account.id.clone()).collect();
        let ids: Vec<AccountId> = organization.ids().into_iter().filter(|id| ids.contains(id)).collect();
        let input = Input { organization: &listed, ..*input };
        let Ok(results) = assess::assess(&input, &ids, |id| Ok::<_, Infallible>(organization.facts(id)));
        assert_eq!((results.run.mode.as_str(), results.run.partial), ("organization", true));
        assert!(results.run.partial_reasons[0].contains("organizations:ListAccounts: throttled"));
        let gate = Gate { min_score: Some(0.0), ..Gate::default() };
        assert_eq!(gate::judge(&Tally::of(results), &gate).verdict, GateVerdict::Undecided);
    });
}

#[test]
fn results_written_account_by_account_are_those_held_in_memory() {
    for organization in organizations() {
        let folder = tempfile::tempdir().unwrap();
        let written = with_input(organization, |input, listed| {
            let mut spool = Spool::begin(folder.path()).unwrap();
            let rest = assess::stream(input, &organization.ids(), |id| Ok(organization.facts(id)), &mut spool).unwrap();
            let mut draft = spool.assemble(&rest, listed.accounts.iter().map(|account| &account.id)).unwrap();
            let mut bytes = Vec::new();
            draft.read().unwrap().read_to_end(&mut bytes).unwrap();
            draft.keep().unwrap();
            bytes
        });
        let held = judged(organization);
        assert!(!held.coverage.denied.is_empty() && !held.coverage.populations.is_empty());
        assert!(written == json::to_bytes(&held), "the bytes differ");
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["results.json"]);
    }
}

#[test]
fn nothing_is_left_behind_when_an_account_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let [organization, _] = organizations();
    let unreadable = organization.ids()[90].clone();
    let load = |id: &AccountId| {
        if *id == unreadable {
            let source = "the disk is gone".into();
            return Err(SnapshotError::from(FileError { doing: "read", path: "accounts".into(), source }));
        }
        Ok(organization.facts(id))
    };
    let judged = with_input(organization, |input, _| {
        let mut spool = Spool::begin(folder.path()).unwrap();
        assess::stream(input, &organization.ids(), load, &mut spool)
    });
    assert!(judged.is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

/// Accounts are scored by what they hold and by what others hold for them; nothing of what others hold may be missed.
#[test]
fn accounts_are_scored_as_if_all_findings_were_at_hand() {
    for organization in organizations() {
        let (checks, ids) = (check::load(&check::builtin_files()).unwrap(), organization.ids());
        let infos: Vec<CheckInfo> = checks.checks.iter().map(|check| check.info()).collect();
        let (partition, config) = (Partition::from("aws"), Config::default());
        let load = |id: &AccountId| Ok::<_, Infallible>(organization.facts(id));
        let listed = organization.organization();
        let Ok(shared) = Shared::build(&listed, partition.clone(), Synthetic::as_of(), &ids, Synthetic::absent, load);
        let facts: Vec<_> = ids.iter().map(|id| organization.facts(id)).collect();
        let graphs: Vec<AccountGraph> = facts.iter().map(|facts| graph::account(&shared, facts)).collect();
        let mut findings: Vec<Finding> = graphs
            .iter()
            .flat_map(|graph| check::evaluate::evaluate(&checks, graph, &config.requirements, &partition).findings)
            .collect();
        findings.sort_by(|a, b| {
            (&a.account, &a.region, &a.check, &a.resource).cmp(&(&b.account, &b.region, &b.check, &b.resource))
        });
        let entered = |at: &usize| facts[*at].entry().is_ok_and(|entry| entry.session.is_ok());
        let accounts: Vec<AccountInput<'_>> =
            (0..ids.len()).filter(entered).map(|at| AccountInput::from(&graphs[at])).collect();
        let unentered: Vec<(AccountId, Unknown)> = facts
            .iter()
            .filter_map(|facts| Some((facts.account.clone(), facts.entry().ok()?.session.clone().err()?)))
            .collect();
        let scored = score::score(score::Input {
            accounts: &accounts,
            findings: &findings,
            checks: &infos,
            scenarios: &scenarios::builtin(),
            requirements: &config.requirements,
            excluded: &config.exclude_accounts,
            unentered: &unentered,
            as_of: Synthetic::as_of(),
        });

        let results = judged(organization);
        assert_eq!(results.findings, findings);
        assert_eq!(results.questions, scored.questions);
        assert_eq!(results.sources, scored.sources);
        assert_eq!(results.score, scored.organization);
        assert_eq!(results.fixes, scored.fixes);
        let elsewhere = |finding: &&Finding| finding.counts_for.iter().any(|account| *account != finding.account);
        assert!(results.findings.iter().filter(elsewhere).count() > 20, "accounts lean on each other");
    }
}
