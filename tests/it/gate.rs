//! The gate: each condition on either side of its limit, and in between.

use std::collections::BTreeMap;

use locard::config::{Gate, UnknownPolicy};
use locard::finding::{CriterionResult, Dimension, ExceptionRef, Finding, Points, Source, Status, Truth};
use locard::gate::{self, Tally, coverage};
use locard::model::severity::Severity;
use locard::model::time::Timestamp;
use locard::results::{
    AccountResult, AccountStatus, ConfigView, Coverage, ExceptionResult, GateResult, GateVerdict, OrganizationScore,
    Results, Run, Tier,
};

use GateVerdict::{Failed, Passed, Undecided};

const A: &str = "111111111111";

fn results(low: f64, high: f64) -> Results {
    let at = Timestamp::parse("2026-06-01T12:00:00Z").expect("a time");
    Results {
        schema_version: "1.0".into(),
        run: Run {
            id: "r".into(),
            as_of: at,
            started_at: at,
            finished_at: at,
            locard_version: "0".into(),
            ruleset_digest: String::new(),
            snapshot_digest: String::new(),
            caller_arn: String::new(),
            role: "LocardAudit".into(),
            mode: "organization".into(),
            mode_reason: None,
            organization_id: None,
            management_account: None,
            calls: BTreeMap::new(),
            clock_skew_seconds: None,
            partial: false,
            partial_reasons: Vec::new(),
            incomplete: Some(false),
            replaced_checks: Vec::new(),
        },
        config: ConfigView {
            requirements: BTreeMap::new(),
            excluded_accounts: BTreeMap::new(),
            regions: Vec::new(),
            declared_scope: None,
        },
        score: OrganizationScore {
            low,
            expected: Some(low),
            high,
            tier_low: Tier::R0,
            tier_high: Tier::R3,
            lowest_account: None,
            spread: 0.0,
            without_unentered: None,
            accounts: 1,
            nothing_to_assess: false,
        },
        accounts: vec![AccountResult {
            id: A.into(),
            name: None,
            ou_path: None,
            status: AccountStatus::Assessed,
            reason: None,
            has_ai: Truth::True,
            scored: true,
            score: None,
            tiers: BTreeMap::new(),
            tally: BTreeMap::new(),
        }],
        checks: Vec::new(),
        findings: Vec::new(),
        not_applicable: BTreeMap::new(),
        scenarios: Vec::new(),
        questions: Vec::new(),
        sources: Vec::new(),
        exceptions: Vec::new(),
        coverage: Coverage { share: 1.0, ..Coverage::default() },
        fixes: Vec::new(),
        gate: None,
    }
}

fn judge(results: &Results, gate: &Gate) -> GateResult {
    gate::judge(&Tally::of(results.clone()), gate)
}

/// A finding with a criterion for each letter: `t`, `f` and `?` required, `T` and `U` not.
fn finding(check: &str, severity: Severity, status: Status, criteria: &str) -> Finding {
    let criteria = criteria.chars().map(|letter| CriterionResult {
        expect: "x".into(),
        required: if letter.is_ascii_uppercase() { Truth::False } else { Truth::True },
        status: match letter {
            't' | 'T' => Truth::True,
            'f' => Truth::False,
            _ => Truth::Unknown,
        },
        points: 1,
        gap: None,
        unknown: Vec::new(),
    });
    Finding {
        id: check.into(),
        check: check.into(),
        severity,
        source: Source::ApiActivity,
        dimension: Dimension::Coverage,
        status,
        account: A.into(),
        region: None,
        resource: "x".into(),
        resource_kind: "trail".into(),
        counts_for: Vec::new(),
        points: Points { low: 0, high: 0, max: 0 },
        criteria: criteria.collect(),
        reason: String::new(),
        evidence: Vec::new(),
        ai_path: Vec::new(),
        ai_path_total: 0,
        exception: None,
    }
}

/// The verdict on one condition and on the whole, which must agree.
#[track_caller]
fn check(results: &Results, gate: &Gate, name: &str) -> (GateVerdict, String, Vec<String>) {
    let result = judge(results, gate);
    let condition = result.conditions.iter().find(|c| c.name == name).expect("the condition is printed");
    assert_eq!(condition.verdict, result.verdict);
    (condition.verdict, condition.got.clone(), condition.checks.clone())
}

#[test]
fn the_low_bound_passes_the_high_bound_fails_and_between_them_nothing_is_decided() {
    let gate = Gate { min_score: Some(70.0), ..Gate::default() };
    for (low, high, verdict, got) in [
        (70.0, 90.0, Passed, "70.0 to 90.0"),
        (69.96, 69.96, Failed, "69.9"),
        (69.96, 70.04, Undecided, "69.9 to 70.1"),
        (50.0, 70.0, Undecided, "50.0 to 70.0"),
        (50.0, 69.99, Failed, "50.00 to 69.99"),
        (69.999_999_999_99, 70.0, Passed, "70.0"),
    ] {
        let (is, text, _) = check(&results(low, high), &gate, "min_score");
        assert_eq!((is, text.as_str()), (verdict, got), "{low} to {high}");
    }
    let mut nothing = results(0.0, 100.0);
    nothing.score.nothing_to_assess = true;
    assert_eq!(check(&nothing, &gate, "min_score").0, Passed);
}

#[test]
fn failures_at_or_above_the_severity_fail_unless_excepted() {
    let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
    let excepted = |active| Some(ExceptionRef { index: 0, active });
    let with = |status, severity, exception| {
        let mut results = results(50.0, 50.0);
        results.findings.push(Finding { exception, ..finding("c", severity, status, "f") });
        check(&results, &gate, "fail_on")
    };
    assert_eq!(
        with(Status::Fail, Severity::High, None),
        (Failed, "1 failed, 0 unknown, 0 excepted".into(), vec!["c".into()])
    );
    assert_eq!(with(Status::Fail, Severity::Critical, None).0, Failed);
    assert_eq!(with(Status::Fail, Severity::Medium, None).0, Passed);
    assert_eq!(
        with(Status::Fail, Severity::High, excepted(true)),
        (Passed, "0 failed, 0 unknown, 1 excepted".into(), vec![])
    );
    assert_eq!(with(Status::Fail, Severity::High, excepted(false)).0, Failed, "an expired exception excepts nothing");
    assert_eq!(with(Status::Unknown, Severity::High, None).0, Undecided);
    assert_eq!(with(Status::Unknown, Severity::High, excepted(true)).0, Passed);
    assert_eq!(with(Status::Unknown, Severity::Low, None).0, Passed);
}

#[test]
fn the_policy_for_unknown_findings_covers_accounts_nobody_looked_into() {
    let mut unknown = results(50.0, 50.0);
    unknown.findings.push(finding("c", Severity::High, Status::Unknown, "?"));
    let mut unseen = results(50.0, 50.0);
    unseen.accounts.push(AccountResult {
        id: "222222222222".into(),
        status: AccountStatus::NotAssessed,
        ..unseen.accounts[0].clone()
    });
    for (policy, verdict) in
        [(UnknownPolicy::Undecided, Undecided), (UnknownPolicy::Fail, Failed), (UnknownPolicy::Ignore, Passed)]
    {
        let gate = Gate { fail_on: Some(Severity::High), unknown: policy, ..Gate::default() };
        assert_eq!(check(&unknown, &gate, "fail_on").0, verdict);
        assert_eq!(check(&unseen, &gate, "fail_on").0, verdict);
    }
    // One left out by the configuration, or suspended, is nobody's gap.
    unseen.accounts[1].scored = false;
    let gate = Gate { fail_on: Some(Severity::High), ..Gate::default() };
    assert_eq!(check(&unseen, &gate, "fail_on").0, Passed);
}

#[test]
fn what_is_said_of_a_score_does_not_contradict_the_verdict() {
    let gate = Gate { min_score: Some(84.8), ..Gate::default() };
    let (verdict, got, _) = check(&results(68.61, 84.734), &gate, "min_score");
    assert_eq!((verdict, got.as_str()), (Failed, "68.61 to 84.74"));
}

#[test]
fn coverage_below_the_limit_decides_nothing() {
    let gate = Gate { min_coverage: Some(0.95), ..Gate::default() };
    let mut results = results(50.0, 50.0);
    results.findings.push(finding("c", Severity::Low, Status::Unknown, "?"));
    results.coverage.share = 0.9499;
    assert_eq!(check(&results, &gate, "min_coverage"), (Undecided, "94.9 %".into(), vec!["c".into()]));
    results.coverage.share = 0.95;
    assert_eq!(check(&results, &gate, "min_coverage").0, Passed);
}

#[test]
fn coverage_is_the_share_of_required_criteria_that_are_known() {
    let findings = [
        finding("a", Severity::Low, Status::Fail, "tf?TU"),
        finding("b", Severity::Low, Status::Pass, "t"),
        finding("c", Severity::Low, Status::NotApplicable, "???"),
    ];
    // Required: t, f, ? and t; 3 of 4 are known.
    assert_eq!(coverage(&findings, 1, 0), 0.75);
    // Three entered and one not: the fourth is as large as the mean, a third of 4. 3 / (4 + 4/3) = 0.5625.
    assert_eq!(coverage(&findings, 3, 1), 0.5625);
    assert_eq!(coverage(&[], 0, 1), 0.0);
    assert_eq!(coverage(&[], 2, 0), 1.0);
}

#[test]
fn a_partial_run_decides_nothing_unless_its_scope_is_declared() {
    let mut gate = Gate { min_score: Some(10.0), ..Gate::default() };
    let mut results = results(50.0, 50.0);
    results.run.partial = true;
    results.run.partial_reasons = vec!["--account".into()];
    let (verdict, got, _) = check(&results, &gate, "partial_scope");
    assert_eq!((verdict, got.as_str()), (Undecided, "a partial run: --account"));
    // A failure in a part is one in the whole; a low mean of a part is not.
    gate.min_score = Some(60.0);
    assert_eq!(judge(&results, &gate).verdict, Undecided);
    results.findings.push(finding("c", Severity::High, Status::Fail, "f"));
    gate.fail_on = Some(Severity::High);
    assert_eq!(judge(&results, &gate).verdict, Failed);
    results.findings.clear();
    gate = Gate { min_score: Some(10.0), partial_scope: Some("the payments team".into()), ..Gate::default() };
    assert_eq!(check(&results, &gate, "partial_scope").0, Passed);
    // That a run was interrupted is no scope.
    results.run.incomplete = Some(true);
    assert_eq!(check(&results, &gate, "partial_scope").0, Undecided);
    results.run.incomplete = None;
    assert_eq!(check(&results, &gate, "partial_scope").0, Undecided, "an older locard did not say");
    results.run.incomplete = Some(false);
}

#[test]
fn replaced_checks_and_runs_that_entered_nothing_are_told() {
    let mut replaced = results(50.0, 50.0);
    replaced.run.replaced_checks = vec!["trail-stopped".into()];
    let gate = Gate { allow_replaced_checks: false, ..Gate::default() };
    assert_eq!(check(&replaced, &gate, "allow_replaced_checks").0, Failed);
    assert_eq!(check(&results(50.0, 50.0), &gate, "allow_replaced_checks").0, Passed);

    let mut empty = results(0.0, 100.0);
    empty.accounts[0].status = AccountStatus::NotAssessed;
    let gate = Gate { min_score: Some(0.0), ..Gate::default() };
    assert_eq!(check(&empty, &gate, "accounts").0, Undecided);
}

#[test]
fn a_gate_that_asks_nothing_passes_and_says_so() {
    let mut results = results(0.0, 100.0);
    results.findings.push(finding("c", Severity::Critical, Status::Fail, "f"));
    let result = judge(&results, &Gate::default());
    assert_eq!(result.verdict, Passed);
    assert_eq!(result.conditions.len(), 1);
    assert_eq!(result.conditions[0].wanted, "nothing: no condition is set");
}

#[test]
fn exceptions_that_end_soon_are_noted_and_decide_nothing() {
    let mut results = results(50.0, 50.0);
    for (check, expires, matches) in [
        ("soon", "2026-07-01", 1),
        ("later", "2026-07-03", 1),
        ("ended", "2026-05-01", 2),
        ("unused", "2026-06-02", 0),
        ("instant", "2026-06-09T00:00:00Z", 1),
    ] {
        results.exceptions.push(ExceptionResult {
            check: check.into(),
            accounts: Vec::new(),
            regions: Vec::new(),
            resource: None,
            owner: "o".into(),
            approver: None,
            reason: "r".into(),
            ticket: None,
            created: "2026-01-01".into(),
            expires: expires.into(),
            compensating_control: None,
            expired: check == "ended",
            matches,
        });
    }
    let gate = Gate { min_score: Some(10.0), ..Gate::default() };
    let (verdict, got, checks) = check(&results, &gate, "exceptions");
    assert_eq!((verdict, got.as_str()), (Passed, "1 expired, 2 to expire within 30 days"));
    assert_eq!(checks, ["ended", "instant", "soon"]);
}
