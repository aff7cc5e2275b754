//! Hand-made results with hostile names, and a made-up organization of any size: what tests and benchmarks render.
//!
//! Nothing here comes from AWS or was judged.

#![allow(dead_code, reason = "each test and benchmark takes some of it")]
#![expect(clippy::unwrap_used, reason = "constants of a test")]

use std::collections::BTreeMap;
use std::io::{self, Write};

use locard::finding::{
    CriterionResult, Dimension, Evidence, ExceptionRef, Finding, Points, Source, Status, Truth, finding_id,
};
use locard::inventory::snapshot::CallCount;
use locard::model::ids::{AccountId, Partition, Region, ResourceId};
use locard::model::observed::{Unknown, Why};
use locard::model::severity::Severity;
use locard::model::time::Timestamp;
use locard::results::*;

pub(crate) const PROD: &str = "111122223333";
pub(crate) const DEV: &str = "222233334444";
pub(crate) const LOCKED: &str = "333344445555";
pub(crate) const IDLE: &str = "444455556666";
pub(crate) const S1: &str = "s1-unauthorized-model-access";
pub(crate) const S2: &str = "s2-training-data-exfiltration";
pub(crate) const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";
pub(crate) const NASTY: &str =
    "a|b`c``d @team #12 https://evil.example/ www.evil.example \u{1b}[31mred\u{202E}gnp\nnext";

/// Four accounts: one good, one bad with hostile names, one that could not be entered, one without AI.
pub(crate) fn sample() -> Results {
    let findings = vec![
        finding(
            "bedrock-invocations-unlogged",
            DEV,
            "eu-west-1",
            "bedrock-invocation-logging:222233334444:eu-west-1",
            Status::Fail,
        ),
        excepted(finding(
            "ai-bucket-reads-unrecorded",
            DEV,
            "eu-west-1",
            &format!("arn:aws:s3:::{NASTY}"),
            Status::Fail,
        )),
        unknown(finding(
            "ai-bucket-reads-unrecorded",
            PROD,
            "us-east-1",
            &format!("arn:aws:s3:::{MARKUP}"),
            Status::Unknown,
        )),
        finding("ai-bucket-reads-unrecorded", PROD, "us-east-1", "arn:aws:s3:::ml-prod-training", Status::Pass),
        finding(
            "bedrock-invocations-unlogged",
            PROD,
            "us-east-1",
            "bedrock-invocation-logging:111122223333:us-east-1",
            Status::Pass,
        ),
        finding(
            "endpoint-capture-off",
            PROD,
            "us-east-1",
            "arn:aws:sagemaker:us-east-1:111122223333:endpoint/churn-v3",
            Status::Pass,
        ),
        finding(
            "endpoint-capture-off",
            DEV,
            "eu-west-1",
            "arn:aws:sagemaker:eu-west-1:222233334444:endpoint/playground",
            Status::Fail,
        ),
    ];
    Results {
        schema_version: SCHEMA_VERSION.to_owned(),
        run: run("organization"),
        config: ConfigView {
            requirements: BTreeMap::from([("retention_days".to_owned(), 365), ("lock_days".to_owned(), 365)]),
            excluded_accounts: BTreeMap::new(),
            regions: vec![Region::new("eu-west-1"), Region::new("us-east-1")],
            declared_scope: None,
        },
        score: OrganizationScore {
            low: 33.766_666,
            expected: Some(48.5),
            high: 71.25,
            tier_low: Tier::R0,
            tier_high: Tier::R1,
            lowest_account: Some(AccountId::from(LOCKED)),
            spread: 62.5,
            without_unentered: Some(ScoreInterval { low: 50.65, expected: Some(52.0), high: 56.9 }),
            accounts: 3,
            nothing_to_assess: false,
        },
        accounts: vec![
            account(PROD, Some("ml-prod"), AccountStatus::Partly, Truth::True, Some((86.3, 93.75))),
            account(DEV, Some(NASTY), AccountStatus::Assessed, Truth::True, Some((15.0, 20.0))),
            account(LOCKED, Some(MARKUP), AccountStatus::NotAssessed, Truth::Unknown, Some((0.0, 100.0))),
            account(IDLE, Some("sandbox"), AccountStatus::Assessed, Truth::False, None),
        ],
        checks: vec![
            check("ai-bucket-reads-unrecorded", "Reads of AI data are recorded", Severity::High, Source::ObjectAccess),
            check(
                "bedrock-invocations-unlogged",
                "Bedrock records prompts and answers",
                Severity::Critical,
                Source::ModelInvocations,
            ),
            check(
                "endpoint-capture-off",
                "Endpoints capture input and output",
                Severity::Medium,
                Source::InferenceCapture,
            ),
            check("flow-logs-missing", "AI subnets have flow logs", Severity::Low, Source::NetworkFlows),
        ],
        findings,
        not_applicable: BTreeMap::from([
            ("flow-logs-missing".to_owned(), 0),
            ("bedrock-invocations-unlogged".to_owned(), 15),
        ]),
        scenarios: scenarios(),
        questions: questions(),
        sources: vec![
            source(PROD, Source::ApiActivity, 100.0, 100.0),
            source(PROD, Source::ModelInvocations, 80.0, 80.0),
            source(PROD, Source::ObjectAccess, 60.0, 70.4),
            source(PROD, Source::InferenceCapture, 45.0, 45.0),
            source(DEV, Source::ApiActivity, 30.0, 30.0),
            source(DEV, Source::ModelInvocations, 0.0, 0.0),
            source(DEV, Source::NetworkFlows, 10.0, 90.0),
            source(LOCKED, Source::ApiActivity, 0.0, 100.0),
        ],
        exceptions: vec![
            exception("ai-bucket-reads-unrecorded", "2026-12-20", false, 1),
            exception("endpoint-capture-off", "2026-11-01", true, 1),
            exception("flow-logs-missing", "2027-02-01", false, 0),
        ],
        coverage: coverage(),
        fixes: vec![
            fix("bedrock-invocations-unlogged", DEV, 12.4, &["1.4"]),
            fix("ai-bucket-reads-unrecorded", DEV, 6.0, &["2.1", "2.2"]),
            fix("endpoint-capture-off", DEV, 3.333, &[]),
            fix("endpoint-capture-off", PROD, 0.0, &[]),
        ],
        gate: Some(GateResult {
            verdict: GateVerdict::Undecided,
            conditions: vec![
                condition(
                    "min_score",
                    ">= 60",
                    "33.7 to 71.3",
                    GateVerdict::Undecided,
                    &["ai-bucket-reads-unrecorded"],
                ),
                condition(
                    "fail_on",
                    "no failure at or above critical",
                    MARKUP,
                    GateVerdict::Failed,
                    &["bedrock-invocations-unlogged"],
                ),
                condition("min_coverage", ">= 0.9", "0.931", GateVerdict::Passed, &[]),
            ],
        }),
    }
}

/// No account runs AI, everything was readable.
pub(crate) fn nothing() -> Results {
    let base = sample();
    Results {
        score: OrganizationScore {
            low: 0.0,
            expected: None,
            high: 0.0,
            tier_low: Tier::R0,
            tier_high: Tier::R0,
            lowest_account: None,
            spread: 0.0,
            without_unentered: None,
            accounts: 0,
            nothing_to_assess: true,
        },
        accounts: vec![account(IDLE, Some("sandbox"), AccountStatus::Assessed, Truth::False, None)],
        findings: Vec::new(),
        questions: Vec::new(),
        sources: Vec::new(),
        exceptions: Vec::new(),
        fixes: Vec::new(),
        coverage: Coverage { share: 1.0, ..Coverage::default() },
        gate: None,
        ..base
    }
}

/// One account, swept with the caller's own credentials, with nothing wrong.
pub(crate) fn known() -> Results {
    let base = sample();
    Results {
        run: Run {
            mode_reason: Some("AccessDenied on organizations:ListAccounts".to_owned()),
            organization_id: None,
            management_account: None,
            clock_skew_seconds: None,
            ..run("single_account")
        },
        score: OrganizationScore {
            low: 100.0,
            expected: Some(100.0),
            high: 100.0,
            tier_low: Tier::R2,
            tier_high: Tier::R2,
            lowest_account: Some(AccountId::from(PROD)),
            spread: 0.0,
            without_unentered: None,
            accounts: 1,
            nothing_to_assess: false,
        },
        accounts: vec![account(PROD, None, AccountStatus::Assessed, Truth::True, Some((100.0, 100.0)))],
        findings: base.findings.iter().filter(|f| f.status == Status::Pass).cloned().collect(),
        questions: base
            .questions
            .iter()
            .filter(|q| q.account.as_str() == PROD && q.verdict == Verdict::Yes)
            .cloned()
            .collect(),
        sources: vec![source(PROD, Source::ApiActivity, 100.0, 100.0)],
        exceptions: Vec::new(),
        fixes: Vec::new(),
        coverage: Coverage { share: 1.0, ..Coverage::default() },
        gate: None,
        ..base
    }
}

/// A made-up organization of any size: `accounts` accounts with one finding of each of `checks` checks, and every
/// kind of gap in coverage. Every fourth account runs no AI, every seventeenth could not be entered.
#[derive(Clone, Copy)]
pub(crate) struct Many {
    pub(crate) accounts: usize,
    pub(crate) checks: usize,
}

impl Many {
    /// All of it in memory.
    pub(crate) fn results(self) -> Results {
        let all = || 0..self.accounts;
        Results {
            accounts: all().map(|n| self.account(n)).collect(),
            checks: self.infos(),
            findings: all().flat_map(|n| self.findings(n)).collect(),
            questions: all().flat_map(|n| self.questions(n)).collect(),
            sources: all().flat_map(|n| self.sources(n)).collect(),
            coverage: Coverage {
                denied: all().flat_map(|n| self.denied(n)).collect(),
                regions: all().flat_map(|n| self.regions(n)).collect(),
                populations: all().flat_map(|n| self.populations(n)).collect(),
                ..coverage()
            },
            fixes: all().map(|n| self.fix(n)).collect(),
            ..sample()
        }
    }

    /// The same as `results.json`, account by account.
    pub(crate) fn write(self, out: &mut impl Write) -> io::Result<()> {
        let frame = Results {
            accounts: Vec::new(),
            checks: self.infos(),
            findings: Vec::new(),
            questions: Vec::new(),
            sources: Vec::new(),
            coverage: Coverage { denied: Vec::new(), regions: Vec::new(), populations: Vec::new(), ..coverage() },
            fixes: Vec::new(),
            ..sample()
        };
        let frame = serde_json::to_string_pretty(&frame)?;
        let mut rest = frame.as_str();
        self.fill(out, &mut rest, "\n  \"accounts\": []", |n| [self.account(n)])?;
        self.fill(out, &mut rest, "\n  \"findings\": []", |n| self.findings(n))?;
        self.fill(out, &mut rest, "\n  \"questions\": []", |n| self.questions(n))?;
        self.fill(out, &mut rest, "\n  \"sources\": []", |n| self.sources(n))?;
        self.fill(out, &mut rest, "\n    \"denied\": []", |n| self.denied(n))?;
        self.fill(out, &mut rest, "\n    \"regions\": []", |n| self.regions(n))?;
        self.fill(out, &mut rest, "\n    \"populations\": []", |n| self.populations(n))?;
        self.fill(out, &mut rest, "\n  \"fixes\": []", |n| [self.fix(n)])?;
        writeln!(out, "{rest}")
    }

    /// Writes up to an empty list, and what belongs into it.
    fn fill<T: serde::Serialize, I: IntoIterator<Item = T>>(
        self,
        out: &mut impl Write,
        rest: &mut &str,
        empty: &str,
        of_account: impl Fn(usize) -> I,
    ) -> io::Result<()> {
        let at = rest.find(empty).ok_or_else(|| io::Error::other(format!("no {empty}")))? + empty.len() - 1;
        out.write_all(&rest.as_bytes()[..at])?;
        *rest = &rest[at..];
        for (index, element) in (0..self.accounts).flat_map(of_account).enumerate() {
            out.write_all(if index == 0 { b"\n" } else { b",\n" })?;
            serde_json::to_writer_pretty(&mut *out, &element)?;
        }
        Ok(())
    }

    fn id(self, n: usize) -> String {
        format!("{:012}", 100_000_000_000 + n as u64)
    }

    fn check(self, c: usize) -> String {
        format!("check-number-{c}-of-the-catalogue")
    }

    fn has_ai(self, n: usize) -> bool {
        n % 4 != 3
    }

    fn entered(self, n: usize) -> bool {
        n % 17 != 16
    }

    fn infos(self) -> Vec<CheckInfo> {
        let severities = [Severity::High, Severity::Critical, Severity::Medium, Severity::Low];
        (0..self.checks)
            .map(|c| {
                let (id, source) = (self.check(c), Source::ALL[c % Source::ALL.len()]);
                check(&id, &format!("Title of {id}"), severities[c % severities.len()], source)
            })
            .collect()
    }

    fn account(self, n: usize) -> AccountResult {
        let low = (n % 90) as f64 * 100.0 / 101.0;
        let name = format!("workload-{n}-\u{1b}[2J");
        let (status, has_ai, score) = match (self.entered(n), self.has_ai(n)) {
            (false, _) => (AccountStatus::NotAssessed, Truth::Unknown, Some((0.0, 100.0))),
            (true, true) => (AccountStatus::Partly, Truth::True, Some((low, low + 8.0))),
            (true, false) => (AccountStatus::Assessed, Truth::False, None),
        };
        account(&self.id(n), Some(&name), status, has_ai, score)
    }

    fn findings(self, n: usize) -> Vec<Finding> {
        let checks = if self.has_ai(n) && self.entered(n) { self.checks } else { 0 };
        let of = |c: usize| {
            let id = self.id(n);
            let arn = format!("arn:aws:sagemaker:eu-west-1:{id}:endpoint/service-{n}-{c}-production-endpoint");
            let status = match (n * 7 + c * 3) % 10 {
                _ if self.checks < 3 => Status::Fail,
                0..=2 => Status::Fail,
                3 => Status::Unknown,
                _ => Status::Pass,
            };
            let finding = finding(&self.check(c), &id, "eu-west-1", &arn, status);
            if status == Status::Unknown { unknown(finding) } else { finding }
        };
        (0..checks).map(of).collect()
    }

    fn questions(self, n: usize) -> Vec<QuestionResult> {
        let like = match (self.entered(n), self.has_ai(n)) {
            (false, _) => LOCKED,
            (true, false) => return Vec::new(),
            (true, true) if n.is_multiple_of(3) => PROD,
            (true, true) => DEV,
        };
        let questions = questions().into_iter().filter(|q| q.account.as_str() == like);
        questions.map(|q| QuestionResult { account: AccountId::new(self.id(n)), ..q }).collect()
    }

    fn sources(self, n: usize) -> Vec<SourceResult> {
        let all = Source::ALL.map(|s| source(&self.id(n), s, (n % 80) as f64, (n % 80 + n % 20) as f64));
        all.into_iter().filter(|_| self.has_ai(n)).collect()
    }

    fn denied(self, n: usize) -> Vec<Failure> {
        let mut denied = coverage().denied;
        denied.iter_mut().for_each(|failure| failure.account = AccountId::new(self.id(n)));
        denied
    }

    fn regions(self, n: usize) -> Vec<RegionCoverage> {
        let region = |of: usize| Region::new(format!("eu-west-{of}"));
        let account = AccountId::new(self.id(n));
        vec![RegionCoverage { account, read: (1..17).map(region).collect(), skipped: vec![region(17)] }]
    }

    fn populations(self, n: usize) -> Vec<OpenPopulation> {
        let mut populations = coverage().populations;
        populations.iter_mut().for_each(|open| open.account = AccountId::new(self.id(n)));
        populations
    }

    fn fix(self, n: usize) -> FixSuggestion {
        fix(&self.check(0), &self.id(n), 0.02, &[])
    }
}

fn run(mode: &str) -> Run {
    Run {
        id: "20261123T100000Z-7f3a".to_owned(),
        as_of: time("2026-11-23T10:00:00Z"),
        started_at: time("2026-11-23T10:00:00Z"),
        finished_at: time("2026-11-23T10:14:09Z"),
        locard_version: "0.1.0".to_owned(),
        ruleset_digest: "9c1e".repeat(16),
        snapshot_digest: "5a4b".repeat(16),
        caller_arn: "arn:aws:sts::999988887777:assumed-role/Auditor/jo".to_owned(),
        role: "LocardAudit".to_owned(),
        mode: mode.to_owned(),
        mode_reason: None,
        organization_id: Some("o-exampleorg1".to_owned()),
        management_account: Some(AccountId::from("999988887777")),
        calls: BTreeMap::from([
            ("s3:GetBucketPolicy".to_owned(), CallCount { operations: 41, attempts: 44, throttled: 3 }),
            ("sts:AssumeRole".to_owned(), CallCount { operations: 4, attempts: 4, throttled: 0 }),
        ]),
        clock_skew_seconds: Some(-2),
        partial: false,
        incomplete: Some(false),
        partial_reasons: Vec::new(),
        replaced_checks: Vec::new(),
    }
}

fn account(
    id: &str,
    name: Option<&str>,
    status: AccountStatus,
    has_ai: Truth,
    score: Option<(f64, f64)>,
) -> AccountResult {
    let reason = match status {
        AccountStatus::Assessed => None,
        AccountStatus::Partly => Some("1 permission is missing".to_owned()),
        AccountStatus::NotAssessed => Some(format!("sts:AssumeRole denied: {NASTY}")),
    };
    AccountResult {
        id: AccountId::from(id),
        name: name.map(str::to_owned),
        ou_path: Some("Root/Workloads/Machine learning".to_owned()),
        status,
        reason,
        has_ai,
        scored: score.is_some(),
        score: score.map(|(low, high)| ScoreInterval { low, expected: Some(low), high }),
        tiers: match score {
            None => BTreeMap::new(),
            Some(_) => [S1, S2]
                .map(|s| {
                    let capped_by = vec!["2.2 is only partly answered".to_owned()];
                    (s.to_owned(), TierInterval { low: Tier::R0, high: Tier::R1, design_only: s == S1, capped_by })
                })
                .into(),
        },
        tally: BTreeMap::from([(Status::Fail, 3), (Status::Unknown, 1), (Status::Pass, 12)]),
    }
}

fn check(id: &str, title: &str, severity: Severity, source: Source) -> CheckInfo {
    CheckInfo {
        id: id.to_owned(),
        title: title.to_owned(),
        severity,
        source,
        dimension: Dimension::Fidelity,
        resource: "ai_bucket".to_owned(),
        why: "Without it an investigator learns that a model was called, and by whom, yet not what was asked of it or what it said. Exfiltration through prompts leaves no trace.".to_owned(),
        fix: FixTexts {
            cli: Some("aws bedrock put-model-invocation-logging-configuration \\\n\t--logging-config file://logging.json\n".to_owned()),
            terraform: Some("resource \"aws_bedrock_model_invocation_logging_configuration\" \"this\" {\n  logging_config {\n    text_data_delivery_enabled = true\n  }\n}\n".to_owned()),
            cloudformation: Some("# No resource type exists; use a custom resource.\n```\n".to_owned()),
        },
        frameworks: BTreeMap::from([("nist-800-53-r5".to_owned(), vec!["AU-12".to_owned(), "AU-3".to_owned()])]),
        references: vec![
            "https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html".to_owned(),
            "javascript:alert(3)".to_owned(),
        ],
        builtin: true,
    }
}

fn finding(check: &str, account: &str, region: &str, resource: &str, status: Status) -> Finding {
    let (account, region, resource) = (AccountId::from(account), Region::from(region), ResourceId::from(resource));
    let holds = if status == Status::Fail { Truth::False } else { Truth::True };
    Finding {
        id: finding_id(&Partition::from("aws"), check, &account, Some(&region), &resource),
        check: check.to_owned(),
        severity: Severity::High,
        source: Source::ModelInvocations,
        dimension: Dimension::Fidelity,
        status,
        counts_for: vec![account.clone(), AccountId::from(PROD)],
        reason: match status {
            Status::Fail => format!("Prompts and answers are not recorded in {NASTY}."),
            _ => "Everything required is in place.".to_owned(),
        },
        account,
        region: Some(region),
        resource,
        resource_kind: "bedrock_region".to_owned(),
        points: if status == Status::Fail {
            Points { low: 1, high: 1, max: 5 }
        } else {
            Points { low: 5, high: 5, max: 5 }
        },
        criteria: vec![
            criterion("resource.logging.s3 != null", Truth::True, Truth::False, None),
            criterion("resource.logging.text", holds, Truth::True, Some("Prompts and answers are not recorded.")),
        ],
        evidence: vec![Evidence {
            call: "bedrock:GetModelInvocationLoggingConfiguration".to_owned(),
            at: time("2026-11-23T10:03:11Z"),
            of: None,
            facts: BTreeMap::from([
                ("logging.text".to_owned(), serde_json::json!(status != Status::Fail)),
                ("logging.s3.bucket".to_owned(), serde_json::json!(MARKUP)),
            ]),
        }],
        ai_path: vec![
            format!("training input of job {NASTY} in account {DEV}"),
            "base models invoked in eu-west-1".to_owned(),
        ],
        ai_path_total: 9,
        exception: None,
    }
}

fn excepted(finding: Finding) -> Finding {
    Finding { exception: Some(ExceptionRef { index: 0, active: true }), ..finding }
}

fn unknown(finding: Finding) -> Finding {
    let mut criteria = finding.criteria.clone();
    criteria[1].status = Truth::Unknown;
    criteria[1].unknown = vec![
        Unknown::new("s3:GetBucketPolicy", Why::Denied)
            .in_account(&finding.account)
            .saying(format!("AccessDenied: {NASTY}")),
    ];
    Finding {
        status: Status::Unknown,
        points: Points { low: 2, high: 3, max: 5 },
        reason: "Cannot be decided: s3:GetBucketPolicy was denied.".to_owned(),
        criteria,
        ..finding
    }
}

fn criterion(expect: &str, status: Truth, required: Truth, gap: Option<&str>) -> CriterionResult {
    CriterionResult {
        expect: expect.to_owned(),
        required,
        status,
        points: 2,
        gap: gap.map(str::to_owned),
        unknown: Vec::new(),
    }
}

fn scenarios() -> Vec<ScenarioInfo> {
    let question = |id: &str, text: &str, must_have, plane| QuestionInfo {
        id: id.to_owned(),
        text: text.to_owned(),
        must_have,
        plane,
    };
    vec![
        ScenarioInfo {
            id: S1.to_owned(),
            title: "Unauthorized model access".to_owned(),
            questions: vec![
                question("1.1", "Which credential was used, and who issued or assumed it?", true, Plane::Control),
                question("1.4", "What went in and what came out?", true, Plane::Content),
                question("1.7", "From where was it used, by a human or a workload?", false, Plane::Control),
            ],
        },
        ScenarioInfo {
            id: S2.to_owned(),
            title: "Training data exfiltration".to_owned(),
            questions: vec![
                question("2.1", "Who read objects under the training prefixes?", true, Plane::Data),
                question("2.2", "How many objects and bytes, compared with normal?", true, Plane::Data),
            ],
        },
    ]
}

fn questions() -> Vec<QuestionResult> {
    use Verdict::*;
    [
        (S1, "1.1", PROD, 1.0, 1.0, Yes),
        (S1, "1.4", PROD, 0.6, 0.8, Partly),
        (S1, "1.7", PROD, 1.0, 1.0, Yes),
        (S2, "2.1", PROD, 1.0, 1.0, Yes),
        (S2, "2.2", PROD, 0.6, 0.95, CannotTell),
        (S1, "1.1", DEV, 0.6, 0.6, Partly),
        (S1, "1.4", DEV, 0.0, 0.0, No),
        (S1, "1.7", DEV, 0.0, 0.0, NotJudged),
        (S2, "2.1", DEV, 0.0, 0.0, NotApplicable),
        (S2, "2.2", DEV, 0.1, 0.3, No),
        (S1, "1.1", LOCKED, 0.0, 1.0, CannotTell),
        (S1, "1.4", LOCKED, 0.0, 1.0, CannotTell),
    ]
    .map(|(scenario, id, account, low, high, verdict)| QuestionResult {
        id: id.to_owned(),
        scenario: scenario.to_owned(),
        account: AccountId::from(account),
        low,
        high,
        verdict,
        since: (verdict == Yes).then(|| time("2026-01-15T00:00:00Z")),
        lowest_subject: Some(SubjectScore {
            kind: "training_bucket".to_owned(),
            id: ResourceId::new(format!("arn:aws:s3:::{NASTY}")),
            low,
            high,
        }),
        subjects: 3,
        not_recordable: if verdict == Partly {
            vec!["serverless endpoints cannot be captured".to_owned()]
        } else {
            Vec::new()
        },
        not_judged: if verdict == NotJudged { vec!["responder: access".to_owned()] } else { Vec::new() },
        fixes: if verdict == No {
            vec![FixRef {
                check: "bedrock-invocations-unlogged".to_owned(),
                account: AccountId::from(DEV),
                resource: ResourceId::new(format!("arn:aws:s3:::{MARKUP}")),
                finding: finding_id(
                    &Partition::from("aws"),
                    "bedrock-invocations-unlogged",
                    &AccountId::from(DEV),
                    Some(&Region::from("eu-west-1")),
                    &ResourceId::from("bedrock-invocation-logging:222233334444:eu-west-1"),
                ),
            }]
        } else {
            Vec::new()
        },
        permissions: if verdict == CannotTell {
            vec![PermissionNeed {
                action: "s3:GetBucketPolicy".to_owned(),
                account: AccountId::from(PROD),
                note: Some(MARKUP.to_owned()),
            }]
        } else {
            Vec::new()
        },
    })
    .into()
}

fn source(account: &str, source: Source, low: f64, high: f64) -> SourceResult {
    SourceResult { account: AccountId::from(account), source, low, high, subjects: 2 }
}

fn exception(check: &str, expires: &str, expired: bool, matches: u64) -> ExceptionResult {
    ExceptionResult {
        check: check.to_owned(),
        accounts: vec![AccountId::from(DEV)],
        regions: Vec::new(),
        resource: Some(format!("arn:aws:s3:::{NASTY}*")),
        owner: "Data platform @team".to_owned(),
        approver: matches.gt(&0).then(|| "CISO".to_owned()),
        reason: format!("Migration under way {MARKUP}"),
        ticket: Some("SEC-481".to_owned()),
        created: "2026-09-01".to_owned(),
        expires: expires.to_owned(),
        compensating_control: Some("weekly export".to_owned()),
        expired,
        matches,
    }
}

fn coverage() -> Coverage {
    let failure = |account: &str, call: &str, action: Option<&str>, why, message: Option<&str>, count| Failure {
        account: AccountId::from(account),
        region: Some(Region::from("us-east-1")),
        call: call.to_owned(),
        action: action.map(str::to_owned),
        why,
        message: message.map(str::to_owned),
        count,
    };
    Coverage {
        share: 0.931_49,
        denied: vec![
            failure(DEV, "logs:DescribeLogGroups", Some("logs:DescribeLogGroups"), Why::DeniedByScp, None, 2),
            failure(PROD, "s3:GetBucketPolicy", Some("s3:GetBucketPolicy"), Why::Denied, Some(NASTY), 7),
        ],
        failed: vec![failure(DEV, "sagemaker:ListEndpoints", None, Why::Throttled, Some(MARKUP), 1)],
        regions: vec![RegionCoverage {
            account: AccountId::from(PROD),
            read: vec![Region::from("eu-west-1"), Region::from("us-east-1")],
            skipped: vec![Region::from("ap-south-1")],
        }],
        populations: vec![OpenPopulation {
            kind: "endpoint".to_owned(),
            source: None,
            account: AccountId::from(DEV),
            region: Some(Region::from("eu-west-1")),
            unknown: Unknown::new("sagemaker:ListEndpoints", Why::Throttled).in_account(&AccountId::from(DEV)),
        }],
        not_looked_at: vec!["Models reached through other clouds.".to_owned()],
    }
}

fn fix(check: &str, account: &str, gain: f64, questions: &[&str]) -> FixSuggestion {
    FixSuggestion {
        check: check.to_owned(),
        title: "Bedrock records prompts and answers".to_owned(),
        account: AccountId::from(account),
        findings: 3,
        gain,
        questions: questions.iter().map(|q| (*q).to_owned()).collect(),
    }
}

fn condition(name: &str, wanted: &str, got: &str, verdict: GateVerdict, checks: &[&str]) -> GateCondition {
    GateCondition {
        name: name.to_owned(),
        wanted: wanted.to_owned(),
        got: got.to_owned(),
        verdict,
        checks: checks.iter().map(|c| (*c).to_owned()).collect(),
    }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}
