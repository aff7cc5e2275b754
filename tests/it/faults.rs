//! locard against a simulated organization in which things go wrong: never a panic, never a hang, never a wrong pass
//! or fail.
//!
//! The same organization is audited without faults first; what a run under faults may say follows from that and from
//! what the journal tells went wrong. `tests/faults.sh` runs more seeds than these tests do by themselves.

mod lab;
mod oracle;
mod plans;

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Mutex;
use std::time::Duration;

use locard::inventory::operations::OPERATIONS;
use locard::results::Results;
use locard_simulator::Settings;
use locard_simulator::faults::{KINDS, Kind, Plan};

use crate::binary::results;
use crate::dice::number;
use lab::Lab;
use oracle::Oracle;

/// A run that takes longer, in times of what it waits for AWS, hangs.
const LONGEST: f64 = 100.0;

/// A plan, and what to call it.
struct Trial {
    name: String,
    plan: Plan,
    /// What is asked of the organization may be lost, and with it the run.
    may_end: bool,
}

/// Audits once without faults and once for each trial, a few at a time; panics with everything that should not be.
/// `LOCARD_FAULT_ONLY` chooses one trial, to look at it again.
fn try_all(name: &str, mut trials: Vec<Trial>) {
    if let Ok(only) = std::env::var("LOCARD_FAULT_ONLY") {
        trials.retain(|trial| only.split(',').any(|one| one == trial.name));
    }
    let queue = Mutex::new(trials.into_iter());
    let failures = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, NonZero::get).min(queue.lock().unwrap().len());
    std::thread::scope(|scope| {
        for worker in 0..workers {
            let (queue, failures) = (&queue, &failures);
            scope.spawn(move || {
                let lab = Lab::start(&format!("{name}-{worker}"), Settings { threads: 1, ..Settings::default() });
                let clean = clean(&lab);
                loop {
                    let next = queue.lock().unwrap().next();
                    let Some(trial) = next else { break };
                    if let Err(failure) = attempt(&lab, &clean, &trial) {
                        failures.lock().unwrap().push(failure);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    assert!(failures.is_empty(), "{} runs went wrong:\n\n{}", failures.len(), failures.join("\n\n"));
}

/// The run without faults, which must be without failures that the estate does not ask for.
fn clean(lab: &Lab) -> Results {
    lab.set_faults(Plan::default());
    let (ran, _) = lab.audit("clean", "patient.yaml", &[], Duration::from_secs(300));
    assert_eq!(ran.code, 0, "{}", ran.stderr);
    let results = results(&lab.folder.join("clean"));
    assert!(results.coverage.failed.is_empty(), "{:?}", results.coverage.failed);
    results
}

fn attempt(lab: &Lab, clean: &Results, trial: &Trial) -> Result<(), String> {
    lab.set_faults(trial.plan.clone());
    let longest = Duration::from_secs_f64(LONGEST * lab::patience());
    let (ran, took) = lab.audit(&trial.name, "impatient.yaml", &[], longest);
    let journal = lab.journal();
    let struck = journal.iter().filter(|entry| entry.fault.is_some()).count();
    let mut complaints = Vec::new();
    let mut busy = 0;
    match ran.code {
        0 => {
            let faulty = results(&lab.folder.join(&trial.name));
            let mut oracle = Oracle::new(clean, &faulty, &journal);
            complaints = oracle.complaints();
            busy = oracle.busy;
        }
        1 if trial.may_end && ran.stderr.contains("organizations:") => {}
        // Without knowing the caller there is no result.
        1 if ran.stderr.contains("sts:GetCallerIdentity")
            && journal.iter().any(|e| e.service == "sts" && e.fault.is_some()) => {}
        code => complaints.push(format!("exit code {code}: {}", ran.stderr)),
    }
    // The services have such words too, without what follows ours.
    if ran.stderr.contains("internal error: ") || ran.stderr.contains("panicked") {
        complaints.push(format!("it panicked: {}", ran.stderr));
    }
    if took > longest {
        complaints.push(format!("it did not end within {longest:?}"));
    }
    eprintln!(
        "{}: exit {}, {} requests, {struck} struck, {:.1} s, {busy} timeouts of a busy machine, {} complaints",
        trial.name,
        ran.code,
        journal.len(),
        took.as_secs_f32(),
        complaints.len()
    );
    if complaints.is_empty() {
        return Ok(());
    }
    let more = complaints.len().saturating_sub(12);
    complaints.truncate(12);
    let plan = serde_json::to_string(&trial.plan).unwrap();
    let folder = lab.folder.join(&trial.name);
    Err(format!(
        "{} in {}\nunder {plan}\n  {}\n  and {more} more",
        trial.name,
        folder.display(),
        complaints.join("\n  ")
    ))
}

#[test]
fn the_estate_has_every_operation_called_and_pages() {
    let lab = Lab::start("estate", Settings::default());
    clean(&lab);
    let journal = lab.journal();
    let called: BTreeSet<(&str, &str)> =
        journal.iter().map(|entry| (entry.service.as_str(), entry.operation.as_str())).collect();
    let missing: Vec<_> =
        OPERATIONS.iter().filter(|op| !called.contains(&(op.service, op.name))).map(|op| op.name).collect();
    // Asked only where an organization does not say with an account where it is.
    assert_eq!(missing, ["ListAccountsForParent"]);
    let paged: BTreeSet<&str> =
        journal.iter().filter(|entry| !entry.page.is_empty()).map(|entry| entry.operation.as_str()).collect();
    assert_eq!(paged, BTreeSet::from(["DescribeLogGroups", "ListAccounts", "ListGuardrails"]));
}

#[test]
fn each_fault_alone_makes_nothing_wrong() {
    let inside =
        KINDS.iter().map(|kind| Trial { name: kind.name().to_owned(), plan: plans::alone(*kind), may_end: false });
    let of_organization = [
        (Kind::Throttle, "ListAccounts"),
        (Kind::Denied, "ListAccounts"),
        (Kind::Malformed, "DescribeOrganization"),
        (Kind::EndlessToken, "ListAccounts"),
        (Kind::Denied, "ListRoots"),
        (Kind::Hang, "ListOrganizationalUnitsForParent"),
    ];
    let of_organization = of_organization.map(|(kind, operation)| Trial {
        name: format!("{}-{operation}", kind.name()),
        plan: plans::organization(kind, operation),
        may_end: true,
    });
    try_all("alone", inside.chain(of_organization).collect());
}

/// The clocks of the two sides are an hour apart, either way: the SDK learns from the first refusal what time it is.
#[test]
fn a_host_whose_clock_is_off_finds_the_same() {
    for (name, ahead) in [("slow-clock", 3600), ("fast-clock", -3600)] {
        let expected = clean(&Lab::start("right-clock", Settings::default()));
        let lab = Lab::start(name, Settings { ahead, ..Settings::default() });
        let (ran, took) = lab.audit("run", "patient.yaml", &[], Duration::from_secs(300));
        let journal = lab.journal();
        let refused = journal.iter().filter(|entry| entry.status >= 400).count();
        let sessions = journal.iter().filter(|entry| entry.operation == "AssumeRole").count();
        eprintln!("{name}: {took:?}, {} requests, {refused} refused, {sessions} sessions", journal.len());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        let found = results(&lab.folder.join("run"));
        assert_eq!(Oracle::new(&expected, &found, &journal).complaints(), Vec::<String>::new());
        assert_eq!(found.coverage.failed, Vec::new());
        assert!(found.run.clock_skew_seconds.is_some_and(|seconds| (seconds + ahead).abs() < 30));
    }
}

/// `LOCARD_FAULT_RUNS` runs, from seed `LOCARD_FAULT_FIRST_SEED` on.
#[test]
fn faults_mixed_at_random_make_nothing_wrong() {
    let (runs, first) = (number("LOCARD_FAULT_RUNS", 20), number("LOCARD_FAULT_FIRST_SEED", 1));
    let trials = (first..first + runs).map(|seed| Trial {
        name: format!("seed-{seed}"),
        plan: plans::mixed(seed),
        may_end: true,
    });
    try_all("mixed", trials.collect());
}
