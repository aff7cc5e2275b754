//! locard against moto, an AWS over HTTP that no one here wrote. What needs no AWS is tested in the other modules.
//!
//! The organization is the one of `tests/moto/seed_org.py`; every expectation below is a promise it was built to try.

mod bridge;
mod harness;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use locard::finding::{Finding, Source, Status, Truth};
use locard::inventory::operations::{OPERATIONS, Operation, Session};
use locard::model::ids::AccountId;
use locard::model::observed::Why;
use locard::model::severity::Severity;
use locard::results::{AccountResult, AccountStatus, Results, Verdict};

use crate::binary::{fresh, results};
use harness::{Accounts, Audit, Iam, Moto, RecordedCall, locard_offline, role_actions};

/// Regions the seed puts anything into.
const SEEDED_REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-northeast-1"];
const CORPUS: &str = "arn:aws:s3:::data-lake-training-corpus-us-east-1";

/// One audit of the seeded baseline under IAM enforcement, which all tests that only look share.
struct Baseline {
    accounts: Accounts,
    audit: Audit,
    calls: Vec<RecordedCall>,
}

static BASELINE: LazyLock<Baseline> = LazyLock::new(|| {
    let moto = Moto::start("baseline");
    let accounts = moto.seed("baseline", Iam::Enforced);
    moto.start_recording();
    let began = Instant::now();
    let audit = moto.audit("run", &[]);
    let seconds = began.elapsed().as_secs_f32();
    let calls = moto.recorded();
    eprintln!("baseline: {} requests in {seconds:.1} s", calls.len());
    Baseline { accounts, audit, calls }
});

impl Baseline {
    fn results(&self) -> &Results {
        &self.audit.results
    }

    fn account(&self, purpose: &str) -> &AccountResult {
        let id = self.accounts.id(purpose);
        self.results().accounts.iter().find(|account| account.id == *id).unwrap()
    }

    /// Findings on what the workloads of an account leave their evidence in.
    fn findings(&self, purpose: &str) -> Vec<&Finding> {
        let id = self.accounts.id(purpose);
        self.results().findings.iter().filter(|f| f.account == *id || f.counts_for.contains(id)).collect()
    }
}

fn one_line(finding: &Finding) -> String {
    let Finding { check, status, account, resource, reason, .. } = finding;
    format!("{} {check} {account} {resource}: {reason}", status.word())
}

fn listed<'a>(findings: impl IntoIterator<Item = &'a Finding>) -> String {
    findings.into_iter().map(one_line).collect::<Vec<_>>().join("\n")
}

// --- what the baseline must show ---------------------------------------------------------------------------------

#[test]
fn an_account_that_keeps_its_evidence_is_not_accused() {
    let findings = BASELINE.findings("ml-prod");
    let severe: Vec<_> =
        findings.iter().filter(|f| f.status == Status::Fail && f.severity >= Severity::High).copied().collect();
    assert!(severe.is_empty(), "{}", listed(severe));
    let unknown: Vec<_> = findings.iter().filter(|f| f.status == Status::Unknown).copied().collect();
    assert!(unknown.is_empty(), "{}", listed(unknown));
    let passing: BTreeSet<Source> = findings.iter().filter(|f| f.status == Status::Pass).map(|f| f.source).collect();
    for source in [
        Source::ApiActivity,
        Source::DataEvents,
        Source::ModelInvocations,
        Source::InferenceCapture,
        Source::ObjectAccess,
        Source::ObjectHistory,
        Source::NetworkFlows,
        Source::ServiceLogs,
    ] {
        assert!(passing.contains(&source), "nothing passes for {}", source.id());
    }
}

#[test]
fn an_account_that_keeps_nothing_fails_for_the_right_reasons() {
    let findings = BASELINE.findings("ml-dev");
    let failing = |source: Source, resource: &str| {
        findings
            .iter()
            .any(|f| f.status == Status::Fail && f.source == source && f.resource.as_str().contains(resource))
    };
    for (source, resource) in [
        (Source::InferenceCapture, "endpoint/prototype"),
        (Source::ModelInvocations, "us-east-1"),
        (Source::ModelInvocations, "ap-northeast-1"),
        (Source::ObjectHistory, "ml-dev-scratch-us-east-1"),
        (Source::ObjectHistory, "ml-dev-scratch-ap-northeast-1"),
        (Source::NetworkFlows, "us-east-1"),
        (Source::NetworkFlows, "ap-northeast-1"),
    ] {
        assert!(failing(source, resource), "{} of {resource} should fail:\n{}", source.id(), listed(findings));
    }
    // The organization's trail records every account and every object.
    let recorded: Vec<_> = findings
        .iter()
        .filter(|f| f.status == Status::Fail && matches!(f.source, Source::ApiActivity | Source::DataEvents))
        .copied()
        .collect();
    assert!(recorded.is_empty(), "{}", listed(recorded));
    for finding in findings.iter().filter(|f| f.status == Status::Fail) {
        assert!(!finding.reason.is_empty() && !finding.evidence.is_empty(), "{}", one_line(finding));
    }
}

#[test]
fn an_account_with_half_measures_gets_part_of_the_points() {
    let findings = BASELINE.findings("ml-staging");
    let partial =
        |source: Source| findings.iter().any(|f| f.source == source && f.points.low > 0 && f.points.low < f.points.max);
    for source in [Source::ModelInvocations, Source::InferenceCapture, Source::NetworkFlows] {
        assert!(partial(source), "{} should be partial:\n{}", source.id(), listed(findings));
    }
    let id = BASELINE.accounts.id("ml-staging");
    let verdicts: BTreeSet<Verdict> =
        BASELINE.results().questions.iter().filter(|q| q.account == *id).map(|q| q.verdict).collect();
    assert!(verdicts.contains(&Verdict::Partly), "{verdicts:?}");
    let score = |purpose: &str| BASELINE.account(purpose).score.unwrap().low;
    assert!(score("ml-prod") > score("ml-staging") && score("ml-staging") > score("ml-dev"));
}

#[test]
fn training_data_is_judged_in_the_account_that_owns_it() {
    let on_corpus: Vec<&Finding> =
        BASELINE.results().findings.iter().filter(|f| f.resource.as_str() == CORPUS).collect();
    assert!(!on_corpus.is_empty());
    for finding in &on_corpus {
        assert_eq!(finding.account, *BASELINE.accounts.id("data-lake"), "{}", one_line(finding));
        if finding.resource_kind == "ai_bucket" {
            let users = BTreeSet::from_iter(&finding.counts_for);
            let expected = ["ml-prod", "ml-staging"].map(|purpose| BASELINE.accounts.id(purpose));
            assert!(expected.iter().all(|id| users.contains(id)), "counts for {users:?}");
            let path = finding.ai_path.join("\n");
            for job in ["ranking-nightly", "ranking-experiment"] {
                assert!(path.contains(job), "{job} is not in: {path}");
            }
        }
    }
    assert!(on_corpus.iter().any(|f| f.resource_kind == "ai_bucket"));
    let unused = BASELINE.results().findings.iter().filter(|f| f.resource.as_str().contains("training-images"));
    assert_eq!(unused.map(one_line).collect::<Vec<_>>(), Vec::<String>::new(), "no job names this bucket");
}

#[test]
fn what_runs_no_ai_raises_nothing() {
    let sandbox = BASELINE.account("sandbox");
    assert_eq!((sandbox.has_ai, sandbox.status), (Truth::False, AccountStatus::Assessed));
    assert!(!sandbox.scored);
    let failing: Vec<_> = BASELINE
        .findings("sandbox")
        .into_iter()
        .filter(|f| matches!(f.status, Status::Fail | Status::Unknown))
        .collect();
    assert!(failing.is_empty(), "{}", listed(failing));

    // A default VPC lies in every region of every account; only the VPCs that workloads run in count.
    let mut networks: BTreeMap<(&AccountId, &str), BTreeSet<&str>> = BTreeMap::new();
    for finding in BASELINE.results().findings.iter().filter(|f| f.resource_kind == "ai_vpc") {
        let region = finding.region.as_ref().unwrap().as_str();
        networks.entry((&finding.account, region)).or_default().insert(finding.resource.as_str());
    }
    let expected = [
        ("ml-prod", "us-east-1"),
        ("ml-prod", "eu-west-1"),
        ("ml-staging", "eu-west-1"),
        ("ml-dev", "us-east-1"),
        ("ml-dev", "ap-northeast-1"),
    ];
    let places: BTreeSet<_> = networks.keys().copied().collect();
    assert_eq!(places, expected.map(|(purpose, region)| (BASELINE.accounts.id(purpose), region)).into());
    assert!(networks.values().all(|vpcs| vpcs.len() == 1), "{networks:?}");
}

#[test]
fn an_account_that_was_not_assessed_says_why() {
    let unenrolled = BASELINE.account("unenrolled");
    assert_eq!(unenrolled.status, AccountStatus::NotAssessed);
    assert!(unenrolled.reason.as_ref().unwrap().contains("denied"), "{:?}", unenrolled.reason);
    let score = unenrolled.score.unwrap();
    assert_eq!((score.low, score.high), (0.0, 100.0), "nobody knows what runs there");

    let suspended = BASELINE.account("suspended");
    assert_eq!(suspended.status, AccountStatus::NotAssessed);
    assert!(suspended.reason.as_ref().unwrap().to_lowercase().contains("suspended"), "{:?}", suspended.reason);

    let entry = BASELINE.results().coverage.denied.iter().find(|failure| failure.account == unenrolled.id).unwrap();
    assert_eq!(entry.action.as_deref(), Some("sts:AssumeRole"));
    let others: Vec<_> =
        BASELINE.results().coverage.denied.iter().filter(|failure| failure.account != unenrolled.id).collect();
    assert!(others.is_empty(), "{others:?}");
    assert!(BASELINE.results().coverage.failed.is_empty(), "{:?}", BASELINE.results().coverage.failed);
}

// --- read-only, and cheap where there is nothing -----------------------------------------------------------------

fn operation(call: &RecordedCall) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|op| op.service == call.service && op.name == call.operation)
}

#[test]
fn every_request_is_on_the_allow_list_and_in_the_role() {
    let granted = role_actions();
    let mut strangers = BTreeSet::new();
    let mut ungranted = BTreeSet::new();
    for call in &BASELINE.calls {
        match operation(call) {
            None => {
                strangers.insert(format!("{}:{}", call.service, call.operation));
            }
            Some(op) if op.session != Session::Caller && !granted.contains(op.action) => {
                ungranted.insert(op.action);
            }
            Some(_) => {}
        }
    }
    assert!(strangers.is_empty(), "requests that are not on the allow-list: {strangers:?}");
    assert!(ungranted.is_empty(), "requests that the role does not permit: {ungranted:?}");
    let needed: BTreeSet<&str> = OPERATIONS.iter().map(|op| op.action).collect();
    let useless: Vec<&String> = granted.iter().filter(|action| !needed.contains(action.as_str())).collect();
    assert!(useless.is_empty(), "the role grants what no operation needs: {useless:?}");

    let mut sent: BTreeMap<String, u64> = BTreeMap::new();
    for call in &BASELINE.calls {
        *sent.entry(format!("{}:{}", call.service, call.operation)).or_default() += 1;
    }
    let told = &BASELINE.results().run.calls;
    let counted: BTreeMap<String, u64> = told.iter().map(|(call, count)| (call.clone(), count.attempts)).collect();
    assert_eq!(counted, sent, "the report tells how many requests left");
}

#[test]
fn a_region_without_ai_costs_few_calls() {
    let mut idle: BTreeMap<(&str, &str), BTreeMap<&str, u64>> = BTreeMap::new();
    for call in &BASELINE.calls {
        let region = call.region.as_str();
        if !SEEDED_REGIONS.contains(&region) {
            *idle.entry((call.account.as_str(), region)).or_default().entry(&call.operation).or_default() += 1;
        }
    }
    let (place, most) = idle.iter().max_by_key(|(_, calls)| calls.values().sum::<u64>()).unwrap();
    let requests: u64 = most.values().sum();
    eprintln!("{} idle regions, at most {requests} requests each, {place:?}: {most:?}", idle.len());
    assert!(requests <= 25, "{place:?}: {most:?}");
}

// --- a permission less -------------------------------------------------------------------------------------------

/// One or two of each service and each pass; `LOCARD_DENIALS=all` takes every action, a list takes those.
const SAMPLE: [&str; 7] = [
    "sagemaker:ListTrainingJobs",
    "sagemaker:DescribeEndpoint",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "cloudtrail:GetTrailStatus",
    "s3:GetBucketObjectLockConfiguration",
    "s3:ListAllMyBuckets",
    "ec2:DescribeFlowLogs",
];

/// Actions without which there is no organization to audit, or no account.
const ENTRANCES: [&str; 3] = ["organizations:DescribeOrganization", "organizations:ListAccounts", "sts:AssumeRole"];

/// Actions whose loss changes no finding and no score on the baseline, and why. Any other must change something.
const IDLE: [(&str, &[&str]); 8] = [
    (
        "no knowledge base, flow, imported model, customization or evaluation job",
        &[
            "bedrock:GetDataSource",
            "bedrock:GetEvaluationJob",
            "bedrock:GetFlow",
            "bedrock:GetImportedModel",
            "bedrock:GetKnowledgeBase",
            "bedrock:GetModelCustomizationJob",
            "bedrock:ListDataSources",
        ],
    ),
    ("nothing names a key", &["kms:DescribeKey"]),
    ("no access log goes through a vended delivery", &["logs:DescribeDeliveries", "logs:DescribeDeliveryDestinations"]),
    (
        "units are for display, and named in coverage",
        &[
            "organizations:ListAccountsForParent",
            "organizations:ListOrganizationalUnitsForParent",
            "organizations:ListRoots",
        ],
    ),
    ("policies admit access logs already", &["s3:GetBucketAcl", "s3:GetBucketOwnershipControls"]),
    (
        "no such job",
        &[
            "sagemaker:DescribeAutoMLJobV2",
            "sagemaker:DescribeHyperParameterTuningJob",
            "sagemaker:DescribeProcessingJob",
            "sagemaker:DescribeTransformJob",
        ],
    ),
    ("no domain and no feature group", &["sagemaker:DescribeDomain", "sagemaker:DescribeFeatureGroup"]),
    ("what a search does not tell, describing does", &["sagemaker:Search"]),
];

#[test]
fn denials_turn_what_depended_on_them_unknown() {
    let mut granted = role_actions();
    granted.extend(OPERATIONS.iter().filter(|op| op.session == Session::Caller).map(|op| op.action.to_owned()));
    let chosen: Vec<String> = match std::env::var("LOCARD_DENIALS").as_deref() {
        Ok("all") => granted
            .iter()
            // AWS lets everyone ask who they are, and so does moto.
            .filter(|action| *action != "sts:GetCallerIdentity" && !ENTRANCES.contains(&action.as_str()))
            .cloned()
            .collect(),
        Ok(list) => list.split(',').map(str::to_owned).collect(),
        Err(_) => SAMPLE.map(str::to_owned).into(),
    };

    let moto = Moto::start("denials");
    moto.seed("baseline", Iam::Enforced);
    // The seeded regions tell as much as all of them, seven times as fast.
    let config = moto.folder().join("denials.yaml");
    fs::write(&config, "gate:\n  partial_scope: the regions that hold anything\n").unwrap();
    let mut scope = vec!["--config", config.to_str().unwrap()];
    scope.extend(SEEDED_REGIONS.iter().flat_map(|region| ["--region", region]));
    let gate = |audit: &Audit, min_score: f64| {
        let (run, min_score) = (audit.folder.to_str().unwrap(), min_score.to_string());
        locard_offline(&["gate", run, "--min-score", &min_score, "--config", config.to_str().unwrap()]).code
    };
    moto.allow(granted.iter().map(String::as_str));
    let full = moto.audit("full", &scope);
    assert_eq!(gate(&full, full.results.score.low), 0, "a gate at the score's low bound passes");

    let mut faults = Vec::new();
    for action in &chosen {
        assert!(granted.contains(action), "{action} is not an action of the role");
        moto.allow(granted.iter().filter(|granted| *granted != action).map(String::as_str));
        let less = moto.audit("less", &scope);
        let mut found = faults_of_denial(action, &full, &less);
        let wanted = full.results.score.low;
        let expected = if less.results.score.low < wanted { 4 } else { 0 };
        let code = gate(&less, wanted);
        if code != expected {
            found.push(format!("the gate at the former score answers {code} instead of {expected}"));
        }
        let (low, high) = (less.results.score.low, less.results.score.high);
        let unknown = |audit: &Audit| audit.results.findings.iter().filter(|f| f.status == Status::Unknown).count();
        let idle = IDLE.iter().any(|(_, actions)| actions.contains(&action.as_str()));
        if !idle && unknown(&less) == unknown(&full) && (low, high) == (full.results.score.low, full.results.score.high)
        {
            found.push("nothing became unknown".to_owned());
        }
        eprintln!(
            "without {action}: {} unknown findings instead of {}, score {low:.1} to {high:.1} instead of {:.1} to {:.1}{}",
            unknown(&less),
            unknown(&full),
            full.results.score.low,
            full.results.score.high,
            if found.is_empty() { "" } else { "  <- faults" },
        );
        faults.extend(found.into_iter().map(|fault| format!("without {action}: {fault}")));
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// What went wrong when `action` was taken away: anything that is no longer honest.
fn faults_of_denial(action: &str, full: &Audit, less: &Audit) -> Vec<String> {
    let mut faults = Vec::new();
    let before: BTreeMap<&str, &Finding> = full.results.findings.iter().map(|f| (f.id.as_str(), f)).collect();
    let after: BTreeMap<&str, &Finding> = less.results.findings.iter().map(|f| (f.id.as_str(), f)).collect();

    for (id, was) in &before {
        match after.get(id) {
            Some(is) if is.status == was.status || is.status == Status::Unknown => {}
            Some(is) => faults.push(format!("was {}, is {}", was.status.word(), one_line(is))),
            // Its resource is no longer found: the population it was of must be open.
            None if matches!(was.status, Status::Pass | Status::Fail) => {
                let open = after.values().any(|is| {
                    is.status == Status::Unknown
                        && is.check == was.check
                        && (is.account == was.account || was.counts_for.contains(&is.account))
                });
                if !open {
                    faults.push(format!("gone, and its population is not open: {}", one_line(was)));
                }
            }
            None => {}
        }
    }
    for (id, is) in &after {
        if !before.contains_key(id) && is.status != Status::Unknown {
            faults.push(format!("new: {}", one_line(is)));
        }
    }

    let (was, is) = (&full.results, &less.results);
    let mut contains = |what: String, (was_low, was_high): (f64, f64), (is_low, is_high): (f64, f64)| {
        if is_low > was_low + 1e-9 || is_high < was_high - 1e-9 {
            faults.push(format!("{what} was {was_low} to {was_high}, is {is_low} to {is_high}"));
        }
    };
    contains("the score".to_owned(), (was.score.low, was.score.high), (is.score.low, is.score.high));
    for account in &was.accounts {
        let now = is.accounts.iter().find(|now| now.id == account.id).and_then(|now| now.score);
        if let (Some(was), Some(is)) = (account.score, now) {
            contains(format!("the score of {}", account.id), (was.low, was.high), (is.low, is.high));
        }
    }
    for question in &was.questions {
        if let Some(now) = is.questions.iter().find(|now| now.id == question.id && now.account == question.account) {
            let what = format!("question {} of {}", question.id, question.account);
            contains(what, (question.low, question.high), (now.low, now.high));
        }
    }

    let asked = OPERATIONS.iter().filter(|op| op.action == action);
    let made = asked.clone().any(|op| was.run.calls.contains_key(&format!("{}:{}", op.service, op.name)));
    if made {
        if !is.coverage.denied.iter().any(|failure| failure.action.as_deref() == Some(action)) {
            faults.push("coverage does not name the action".to_owned());
        }
        for report in ["report.md", "report.html"] {
            if !less.read(report).contains(action) {
                faults.push(format!("{report} does not name the action"));
            }
        }
    }
    faults
}

#[test]
fn without_a_way_in_there_is_no_verdict() {
    let mut granted = role_actions();
    granted.extend(OPERATIONS.iter().filter(|op| op.session == Session::Caller).map(|op| op.action.to_owned()));
    let moto = Moto::start("no-way-in");
    moto.seed("baseline", Iam::Enforced);
    moto.allow(granted.iter().filter(|action| *action != "sts:AssumeRole").map(String::as_str));
    let url = moto.url();
    let out = moto.folder.join("run");
    let ran = moto.locard(&["audit", "--endpoint-url", &url, "--out", out.to_str().unwrap()]);
    assert_eq!(ran.code, 1, "{}", ran.stderr);
    assert!(ran.stderr.contains("sts:AssumeRole"), "{}", ran.stderr);
    assert!(!out.join("results.json").exists());
}

#[test]
fn who_may_not_list_the_organization_audits_one_account() {
    let granted = role_actions();
    let alone = granted.iter().filter(|action| !action.starts_with("organizations:") && *action != "sts:AssumeRole");
    let moto = Moto::start("alone");
    let accounts = moto.seed("baseline", Iam::Enforced);
    moto.confine(alone.map(String::as_str));
    let audit = moto.audit("run", &[]);
    assert_eq!(audit.results.run.mode, "single_account");
    assert!(audit.results.run.mode_reason.as_ref().unwrap().contains("denied"), "{:?}", audit.results.run.mode_reason);
    let assessed: Vec<&AccountId> = audit.results.accounts.iter().map(|account| &account.id).collect();
    assert_eq!(assessed, [accounts.id("management")]);
    assert!(audit.read("report.md").contains("organizations:DescribeOrganization"));
}

// --- other organizations -----------------------------------------------------------------------------------------

#[test]
fn an_organization_without_ai_has_nothing_to_assess() {
    let moto = Moto::start("empty");
    let accounts = moto.seed("empty", Iam::Ignored);
    let audit = moto.audit("run", &[]);
    assert!(audit.results.score.nothing_to_assess);
    let bad: Vec<_> = audit.results.findings.iter().filter(|f| f.status == Status::Unknown).collect();
    assert!(bad.is_empty(), "{}", listed(bad));
    let suspended = accounts.id("suspended");
    for account in audit.results.accounts.iter().filter(|account| account.id != *suspended) {
        assert_eq!(account.has_ai, Truth::False, "{}", account.id);
    }
    assert!(audit.ran.stdout.contains("no AI workload found"), "{}", audit.ran.stdout);
}

/// moto sends timestamps here that an SDK must refuse: what cannot be parsed is unknown, and the rest stands.
#[test]
fn answers_that_cannot_be_parsed_are_unknown() {
    let moto = Moto::start("bedrock-inventory");
    let accounts = moto.seed("bedrock-inventory", Iam::Enforced);
    let audit = moto.audit("run", &[]);
    for purpose in ["ml-prod", "ml-dev"] {
        let id = accounts.id(purpose);
        for call in
            ["bedrock:ListModelCustomizationJobs", "bedrock-agent:ListAgents", "bedrock-agent:ListKnowledgeBases"]
        {
            let failure = audit.results.coverage.failed.iter().find(|f| f.account == *id && f.call == call);
            let failure = failure.unwrap_or_else(|| panic!("{call} of {purpose} is not in coverage"));
            assert_eq!(failure.why, Why::Malformed, "{call}: {:?}", failure.message);
        }
        let account = audit.results.accounts.iter().find(|account| account.id == *id).unwrap();
        assert_eq!(account.status, AccountStatus::Partly);
        let (is, was) = (account.score.unwrap(), BASELINE.account(purpose).score.unwrap());
        assert!(is.low <= was.low && is.high >= was.high, "{purpose}: {is:?} does not contain {was:?}");
    }
    let staging = accounts.id("ml-staging");
    let failed: Vec<_> = audit.results.coverage.failed.iter().filter(|failed| failed.account == *staging).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// Markdown without its code spans, in which nothing is live: a run of backticks up to the next run as long, within a
/// line.
fn outside_code(markdown: &str) -> String {
    let mut prose = String::new();
    for line in markdown.lines() {
        let mut rest = line;
        while let Some(start) = rest.find('`') {
            let fence = rest[start..].len() - rest[start..].trim_start_matches('`').len();
            let inside = &rest[start + fence..];
            let mut from = 0;
            let end = loop {
                let Some(at) = inside[from..].find('`').map(|at| at + from) else { break None };
                let run = inside[at..].len() - inside[at..].trim_start_matches('`').len();
                if run == fence {
                    break Some(at + run);
                }
                from = at + run;
            };
            prose.push_str(&rest[..start]);
            // An unclosed run is text.
            let Some(end) = end else {
                prose.push_str(&rest[start..start + fence]);
                rest = inside;
                continue;
            };
            rest = &inside[end..];
        }
        prose.push_str(rest);
        prose.push('\n');
    }
    prose
}

#[test]
fn hostile_names_harm_no_output() {
    let moto = Moto::start("hostile");
    moto.seed("baseline", Iam::Ignored);
    moto.add_hostile_names();
    let audit = moto.audit("run", &[]);
    let names: Vec<&str> = audit.results.accounts.iter().filter_map(|account| account.name.as_deref()).collect();
    assert!(names.contains(&"<script>alert(1)</script>"), "results keep what AWS said: {names:?}");

    let html = audit.read("report.html");
    for live in ["<script>alert", "<img src=x", "href=\"javascript:"] {
        assert!(!html.contains(live), "{live} is live in report.html");
    }
    assert!(html.contains("{{ 7 * 7 }}"), "a name is no template");
    let markdown = audit.read("report.md");
    let prose = outside_code(&markdown);
    for live in ["<script>alert", "<img src=x", "](javascript:"] {
        assert!(!prose.contains(live), "{live} is live in report.md");
    }
    assert_tables_are_straight(&markdown);
    for (what, text) in
        [("html", &html), ("markdown", &markdown), ("out", &audit.ran.stdout), ("err", &audit.ran.stderr)]
    {
        assert!(!text.contains('\x1b'), "{what} holds an escape character");
        assert!(!text.contains('\u{202e}'), "{what} holds a direction override");
    }
    let summary: Vec<&str> = audit.ran.stdout.lines().collect();
    assert!(summary.len() <= 24, "{} lines:\n{}", summary.len(), audit.ran.stdout);
    assert!(summary.iter().all(|line| line.chars().count() <= 200), "{}", audit.ran.stdout);
}

/// A cell that ends a row early, or a name that breaks a line, changes the number of unescaped bars.
fn assert_tables_are_straight(markdown: &str) {
    let bars = |line: &str| line.replace("\\\\", "").replace("\\|", "").matches('|').count();
    let mut width = None;
    for line in markdown.lines() {
        if line.starts_with('|') {
            let expected = *width.get_or_insert_with(|| bars(line));
            assert_eq!(bars(line), expected, "a row is broken: {line}");
        } else {
            width = None;
        }
    }
}

// --- judging again, going on, and refusing -----------------------------------------------------------------------

#[test]
fn judging_a_snapshot_again_gives_equal_bytes() {
    let snapshot = BASELINE.audit.folder.join("snapshot");
    let [first, second] = ["first", "second"].map(|name| {
        let out = fresh(scratch("evaluate-twice").join(name));
        let ran = locard_offline(&["evaluate", snapshot.to_str().unwrap(), "--out", out.to_str().unwrap()]);
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        out
    });
    for file in ["results.json", "report.html", "report.md"] {
        let bytes = fs::read(first.join(file)).unwrap();
        assert!(bytes == fs::read(second.join(file)).unwrap(), "{file} differs between two evaluations");
        assert!(bytes == fs::read(BASELINE.audit.folder.join(file)).unwrap(), "{file} differs from the audit's");
    }
}

#[test]
fn a_tampered_snapshot_is_refused() {
    let folder = fresh(scratch("tampered").join("run"));
    let snapshot = folder.join("snapshot");
    copy_folder(&BASELINE.audit.folder.join("snapshot"), &snapshot);
    let out = folder.join("out");
    let evaluate = |more: &[&str]| {
        let mut args = vec!["evaluate", snapshot.to_str().unwrap(), "--out", out.to_str().unwrap()];
        args.extend(more);
        locard_offline(&args)
    };

    let wrong = "0".repeat(64);
    assert_eq!(evaluate(&["--expect-digest", &wrong]).code, 5);
    let right = &BASELINE.results().run.snapshot_digest;
    assert_eq!(evaluate(&["--expect-digest", right]).code, 0);

    let dev = snapshot.join("accounts").join(BASELINE.accounts.id("ml-dev").as_str()).join("inventory.jsonl.zst");
    let mut bytes = fs::read(&dev).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&dev, &bytes).unwrap();
    let ran = evaluate(&[]);
    assert_eq!(ran.code, 5, "{}", ran.stderr);
    assert!(ran.stderr.contains("inventory.jsonl.zst"), "{}", ran.stderr);

    fs::remove_file(&dev).unwrap();
    assert_eq!(evaluate(&[]).code, 5, "a file that is gone");
}

#[test]
fn a_killed_run_is_resumed() {
    let moto = Moto::start("killed");
    moto.seed("baseline", Iam::Enforced);
    let url = moto.url();
    let out = moto.folder.join("run");
    let args = ["audit", "--endpoint-url", &url, "--out", out.to_str().unwrap()];
    let mut run = moto.command(&args).spawn().unwrap();
    let journal = out.join("snapshot/journal.jsonl");
    let began = Instant::now();
    loop {
        let written = fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
        if written > 3 {
            break;
        }
        assert!(run.try_wait().unwrap().is_none(), "the run ended before it could be killed");
        assert!(began.elapsed() < Duration::from_secs(120), "nothing is in {}", journal.display());
        std::thread::sleep(Duration::from_millis(5));
    }
    // SIGKILL: no handler gets to tidy up.
    run.kill().unwrap();
    run.wait().unwrap();
    assert!(!out.join("results.json").exists());

    let kept = fs::read_to_string(&journal).unwrap().lines().count();
    let resumed = moto.locard(&[&args[..], &["--resume"]].concat());
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    let statuses = |results: &Results| -> BTreeMap<String, Status> {
        results.findings.iter().map(|f| (f.id.clone(), f.status)).collect()
    };
    let results = results(&out);
    assert!(!results.run.partial, "{:?}", results.run.partial_reasons);
    assert_eq!(statuses(&results), statuses(BASELINE.results()), "resumed after {kept} lines of journal");
}

#[test]
fn an_interrupted_run_is_sealed_and_resumed() {
    let moto = Moto::start("interrupted");
    moto.seed("baseline", Iam::Ignored);
    let url = moto.url();
    let out = moto.folder.join("run");
    let args = ["audit", "--endpoint-url", &url, "--out", out.to_str().unwrap()];
    let mut run = moto.command(&args).spawn().unwrap();
    let began = Instant::now();
    while !out.join("snapshot/organization.json").exists() {
        assert!(began.elapsed() < Duration::from_secs(120), "the run does not begin");
        std::thread::sleep(Duration::from_millis(5));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert!(!out.join("results.json").exists());

    let manifest = fs::read_to_string(out.join("snapshot/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    assert_eq!(manifest["complete"], false);
    let resumed = moto.locard(&[&args[..], &["--resume"]].concat());
    assert_eq!(resumed.code, 0, "{}", resumed.stderr);
    assert!(!results(&out).run.partial);
}

#[test]
fn a_mistyped_setting_is_refused_with_a_suggestion() {
    let config = scratch("mistyped").join("locard.yaml");
    fs::write(&config, "requirments:\n  retention_days: 365\n").unwrap();
    let moto = Moto::start("mistyped-moto");
    let out = moto.folder.join("run");
    let url = moto.url();
    let args = ["audit", "--endpoint-url", &url, "--out", out.to_str().unwrap(), "--config", config.to_str().unwrap()];
    let ran = moto.locard(&args);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("requirments") && ran.stderr.contains("requirements"), "{}", ran.stderr);
    assert!(!out.exists(), "nothing was begun");
}

/// An empty folder for a test that needs no server.
fn scratch(name: &str) -> std::path::PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("moto").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn copy_folder(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).unwrap();
    }
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
