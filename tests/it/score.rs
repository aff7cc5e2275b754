//! The score, by worked examples with the arithmetic beside them, and by properties over random worlds.

use std::collections::{BTreeMap, BTreeSet};

use locard::config::Requirements;
use locard::finding::{CriterionResult, Dimension, ExceptionRef, Finding, Points, Source, Status, Truth, finding_id};
use locard::model::ids::{AccountId, Partition, Region, ResourceId};
use locard::model::observed::{Told, Unknown, Why};
use locard::model::severity::Severity;
use locard::model::time::Timestamp;
use locard::relate::subject::{Alternative, Carriage, Carrier, Open, Part, Subject, SubjectKind};
use locard::results::{CheckInfo, FixTexts, QuestionResult, Tier, Verdict};
use locard::score::scenarios::{self, Scenario};
use locard::score::{AccountInput, Input, Scored};
use proptest::prelude::*;

const A: &str = "111111111111";
const B: &str = "222222222222";
const AS_OF: i64 = 1_800_000_000;
const DAY: i64 = 86_400;

/// Accounts, findings and checks of a small organization.
#[derive(Clone)]
struct World {
    accounts: Vec<Account>,
    findings: Vec<Finding>,
    judged: BTreeSet<(Source, Dimension)>,
    scenarios: Vec<Scenario>,
    excluded: BTreeMap<AccountId, String>,
    unentered: Vec<(AccountId, Unknown)>,
}

#[derive(Clone)]
struct Account {
    id: AccountId,
    has_ai: Told<bool>,
    subjects: Vec<Subject>,
    open: Vec<Open>,
}

const DIMENSIONS: [Dimension; 6] = [
    Dimension::Coverage,
    Dimension::Fidelity,
    Dimension::Delivery,
    Dimension::Retention,
    Dimension::Integrity,
    Dimension::Access,
];

/// A world in which every source is judged in every dimension, but for those that nothing collects.
fn world(scenarios: Vec<Scenario>) -> World {
    let uncollected = [Source::ConfigHistory, Source::ThreatFindings, Source::Identity, Source::EventHistory];
    let judged = Source::ALL
        .into_iter()
        .filter(|source| !uncollected.contains(source))
        .flat_map(|source| DIMENSIONS.map(|dimension| (source, dimension)));
    World {
        accounts: Vec::new(),
        findings: Vec::new(),
        judged: judged.collect(),
        scenarios,
        excluded: BTreeMap::new(),
        unentered: Vec::new(),
    }
}

/// A scenario of one must-have question, asked of one kind.
fn one_question(kind: &str, paths: &str) -> Vec<Scenario> {
    let text = format!(
        "id: s\ntitle: t\nwhy: w\nquestions:\n- id: q\n  text: q?\n  must_have: true\n  plane: data\n  asks_of: [{kind}]\n  paths:\n{paths}\n"
    );
    vec![scenarios::parse("s.yaml", &text).expect("parses")]
}

fn check_id(source: Source, dimension: Dimension) -> String {
    format!("{}-{}", source.id(), dimension.word())
}

fn truth(letter: char) -> Truth {
    match letter.to_ascii_lowercase() {
        't' => Truth::True,
        'f' => Truth::False,
        _ => Truth::Unknown,
    }
}

/// Sets status and points from the criteria, as the engine does.
fn settle(finding: &mut Finding) {
    let required =
        |wanted: Truth, status: Truth| finding.criteria.iter().any(|c| c.required == wanted && c.status == status);
    finding.status = if required(Truth::True, Truth::False) {
        Status::Fail
    } else if required(Truth::True, Truth::Unknown)
        || required(Truth::Unknown, Truth::False)
        || required(Truth::Unknown, Truth::Unknown)
    {
        Status::Unknown
    } else {
        Status::Pass
    };
    let points = |f: fn(Truth) -> bool| finding.criteria.iter().filter(|c| f(c.status)).count() as u32;
    finding.points = Points {
        low: points(|t| t == Truth::True),
        high: points(|t| t != Truth::False),
        max: finding.criteria.len() as u32,
    };
}

impl World {
    fn account(&mut self, id: &str) -> &mut Account {
        self.accounts.push(Account { id: id.into(), has_ai: Ok(true), subjects: Vec::new(), open: Vec::new() });
        self.accounts.last_mut().expect("just pushed")
    }

    /// A finding on a resource of `A`. `t`, `f`, `?` are required criteria; `T`, `F`, `U` ones for points only.
    fn finding(&mut self, resource: &str, source: Source, dimension: Dimension, criteria: &str) -> &mut Finding {
        let (account, resource): (AccountId, ResourceId) = (A.into(), resource.into());
        let check = check_id(source, dimension);
        let criteria = criteria.chars().map(|letter| CriterionResult {
            expect: "resource.x".into(),
            required: if letter.is_ascii_uppercase() { Truth::False } else { Truth::True },
            status: if letter == 'U' { Truth::Unknown } else { truth(letter) },
            points: 1,
            gap: None,
            unknown: match letter {
                '?' | 'U' => vec![Unknown::new("s3:GetBucketLogging", Why::Denied).in_account(&account)],
                _ => Vec::new(),
            },
        });
        let mut finding = Finding {
            id: finding_id(&Partition::new("aws"), &check, &account, None, &resource),
            check,
            severity: Severity::High,
            source,
            dimension,
            status: Status::Pass,
            account: A.into(),
            region: None,
            resource_kind: resource.as_str().split(':').next().expect("first part").to_owned(),
            resource,
            counts_for: Vec::new(),
            points: Points { low: 0, high: 0, max: 0 },
            criteria: criteria.collect(),
            reason: String::new(),
            evidence: Vec::new(),
            ai_path: Vec::new(),
            ai_path_total: 0,
            exception: None,
        };
        settle(&mut finding);
        self.findings.push(finding);
        self.findings.last_mut().expect("just pushed")
    }

    /// A trail and its bucket, everything about them in order and both judged by the checks of api-activity.
    fn good_trail(&mut self) {
        self.finding("trail:t", Source::ApiActivity, Dimension::Delivery, "t");
        self.finding("trail:t", Source::ApiActivity, Dimension::Integrity, "t");
        self.finding("bucket:logs", Source::ApiActivity, Dimension::Retention, "tT");
        self.finding("bucket:logs", Source::ApiActivity, Dimension::Integrity, "t");
    }

    fn checks(&self) -> Vec<CheckInfo> {
        let info = |(source, dimension): &(Source, Dimension)| CheckInfo {
            id: check_id(*source, *dimension),
            title: format!("{} {}", source.id(), dimension.word()),
            severity: Severity::High,
            source: *source,
            dimension: *dimension,
            resource: "x".into(),
            why: String::new(),
            fix: FixTexts::default(),
            frameworks: BTreeMap::new(),
            references: Vec::new(),
            builtin: true,
        };
        self.judged.iter().map(info).collect()
    }

    fn score(&self) -> Scored {
        let accounts: Vec<AccountInput> = self
            .accounts
            .iter()
            .map(|a| AccountInput { account: &a.id, has_ai: &a.has_ai, subjects: &a.subjects, open: &a.open })
            .collect();
        locard::score::score(Input {
            accounts: &accounts,
            findings: &self.findings,
            checks: &self.checks(),
            scenarios: &self.scenarios,
            requirements: &Requirements::default(),
            excluded: &self.excluded,
            unentered: &self.unentered,
            as_of: Timestamp::from_unix(AS_OF),
        })
    }
}

impl Account {
    fn subject(&mut self, kind: SubjectKind, id: &str, sources: &[(Source, Carriage)]) -> &mut Self {
        let account = self.id.clone();
        let sources = sources.iter().cloned().collect();
        self.subjects.push(Subject { kind, id: id.into(), account, region: None, sources });
        self
    }
}

/// A carrier, `resource` judged as `source`.
fn carrier(resource: &str, source: Source) -> Carrier {
    Carrier { resource: resource.into(), judged_as: source, certain: true }
}

fn alternative(carriers: &[Carrier]) -> Alternative {
    let since = Some(Timestamp::from_unix(AS_OF - 1000 * DAY));
    Alternative { carriers: carriers.to_vec(), certain: true, since }
}

fn part(alternatives: &[Alternative]) -> Part {
    Part { label: "all".into(), alternatives: alternatives.to_vec() }
}

/// Carried by these resources alone, all judged as the source.
fn by(source: Source, resources: &[&str]) -> (Source, Carriage) {
    let carriers: Vec<Carrier> = resources.iter().map(|r| carrier(r, source)).collect();
    (source, Carriage::Parts(vec![part(&[alternative(&carriers)])]))
}

/// Data events of a bucket: its own coverage, and the trail and log bucket that keep them.
fn data_events(bucket: &str) -> (Source, Carriage) {
    let carriers = [
        carrier(bucket, Source::DataEvents),
        carrier("trail:t", Source::ApiActivity),
        carrier("bucket:logs", Source::ApiActivity),
    ];
    (Source::DataEvents, Carriage::Parts(vec![part(&[alternative(&carriers)])]))
}

fn api_activity(regions: &[&str]) -> (Source, Carriage) {
    let parts = regions.iter().map(|region| {
        part(&[alternative(&[
            carrier(&format!("account-region:{region}"), Source::ApiActivity),
            carrier("trail:t", Source::ApiActivity),
            carrier("bucket:logs", Source::ApiActivity),
        ])])
    });
    (Source::ApiActivity, Carriage::Parts(parts.collect()))
}

fn event_history() -> (Source, Carriage) {
    (Source::EventHistory, Carriage::Inherent)
}

#[track_caller]
fn near(got: f64, wanted: f64) {
    assert!((got - wanted).abs() < 1e-9, "got {got}, wanted {wanted}");
}

#[track_caller]
fn question<'a>(scored: &'a Scored, id: &str) -> &'a QuestionResult {
    scored.questions.iter().find(|q| q.id == id).expect("such a question")
}

fn tier(scored: &Scored, account: &str, scenario: &str) -> (Tier, Tier) {
    let tier = &scored.accounts[&account.into()].tiers[scenario];
    (tier.low, tier.high)
}

const CAPTURE: &str = "  - {sources: [inference-capture], strength: primary}";
const READS: &str =
    "  - {sources: [data-events], strength: primary}\n  - {sources: [object-access], strength: primary}";

#[test]
fn nine_captured_endpoints_and_one_not() {
    let mut world = world(one_question("endpoint", CAPTURE));
    for n in 0..10 {
        let endpoint = format!("endpoint:{n}");
        world.finding(&endpoint, Source::InferenceCapture, Dimension::Coverage, if n == 4 { "f" } else { "t" });
    }
    world.finding("bucket:captures", Source::InferenceCapture, Dimension::Retention, "t");
    world.finding("bucket:captures", Source::InferenceCapture, Dimension::Integrity, "ttff");
    let account = world.account(A);
    for n in 0..10 {
        let endpoint = format!("endpoint:{n}");
        let source = by(Source::InferenceCapture, &[&endpoint, "bucket:captures"]);
        account.subject(SubjectKind::Endpoint, &endpoint, &[source]);
    }
    let scored = world.score();

    // Captured: has = 1, kept = min(retention 1, integrity 2/4) = 1/2, so 1 x (1/2 + 1/2 x 1/2) = 3/4.
    // Not captured: has = 0, so 0. Question: (9 x 3/4 + 0) / 10 = 0.675.
    let q = question(&scored, "q");
    near(q.low, 0.675);
    near(q.high, 0.675);
    assert_eq!(q.verdict, Verdict::Partly);
    assert_eq!(q.subjects, 10);
    assert_eq!(q.lowest_subject.as_ref().expect("one").id, "endpoint:4".into());
    near(scored.organization.low, 67.5);
    // One fix turns it to yes, and it is the one named; it gains 1/10 x 3/4 of 100 points. Protecting the captures
    // gains more, 9/10 x (1 - 3/4) of them, and turns no question.
    assert_eq!(q.fixes.iter().map(|f| f.resource.as_str()).collect::<Vec<_>>(), ["endpoint:4"]);
    near(scored.fixes[0].gain, 22.5);
    near(scored.fixes[1].gain, 7.5);
    assert!(scored.fixes[0].questions.is_empty());
    assert_eq!(scored.fixes[1].questions, ["q"]);
}

#[test]
fn no_object_lock_anywhere() {
    let mut world = world(scenarios::builtin());
    world.finding("account-region:r", Source::ApiActivity, Dimension::Coverage, "tt");
    world.good_trail();
    let lock = world.findings.last_mut().expect("the lock of the log bucket");
    lock.criteria[0].status = Truth::False;
    settle(lock);
    world.account(A).subject(SubjectKind::Account, A, &[api_activity(&["r"]), event_history()]);
    let scored = world.score();

    // Integrity is one share over all that carries the source: validation holds, the lock does not, 1/2.
    // kept = min(1, 1/2) = 1/2; source = 1 x (1/2 + 1/2 x 1/2) = 3/4, more than event history's 0.6.
    for id in ["1.1", "1.2", "1.5", "1.7", "2.3", "3.4", "3.5"] {
        near(question(&scored, id).low, 0.75);
        assert_eq!(question(&scored, id).verdict, Verdict::Yes, "protection does not decide the answer");
    }
    near(scored.organization.low, 75.0);
    // S1 has 1.1 and 1.2 to ask; the log files are validated and kept a year, so only the lock keeps it from R3.
    assert_eq!(tier(&scored, A, "s1-unauthorized-model-access"), (Tier::R2, Tier::R2));
    let capped = &scored.accounts[&A.into()].tiers["s1-unauthorized-model-access"].capped_by;
    assert_eq!(capped[0], "1.1: evidence can be changed or deleted");
}

#[test]
fn everything_denied() {
    let mut world = world(scenarios::builtin());
    world.finding("account-region:r", Source::ApiActivity, Dimension::Coverage, "??");
    world.finding("trail:t", Source::ApiActivity, Dimension::Integrity, "?");
    world.finding("bucket:logs", Source::ApiActivity, Dimension::Retention, "?U");
    world.account(A).subject(SubjectKind::Account, A, &[api_activity(&["r"])]);
    let denied = Unknown::new("sagemaker:ListEndpoints", Why::Denied).in_account(&A.into());
    let scp = Unknown::new("bedrock:ListGuardrails", Why::DeniedByScp).in_account(&A.into());
    for (unknown, kind) in [(denied, SubjectKind::Endpoint), (scp, SubjectKind::BedrockRegion)] {
        world.accounts[0].open.push(Open {
            source: None,
            kind: "x",
            subjects: vec![kind],
            account: A.into(),
            region: None,
            unknown,
        });
    }
    let scored = world.score();

    let organization = &scored.organization;
    assert_eq!((organization.low, organization.expected, organization.high), (0.0, None, 100.0));
    assert_eq!((organization.tier_low, organization.tier_high), (Tier::R0, Tier::R3));
    for q in &scored.questions {
        // 1.6 needs sources that no check judges; of the rest each is open or asked of something that is not there.
        let expected = match q.id.as_str() {
            "1.6" => Verdict::NotJudged,
            id if id.starts_with("2.") && id != "2.3" => Verdict::NotApplicable,
            "3.1" | "3.2" => Verdict::NotApplicable,
            _ => Verdict::CannotTell,
        };
        assert_eq!(q.verdict, expected, "{}", q.id);
    }
    let actions = |id: &str| {
        let needs = &question(&scored, id).permissions;
        needs.iter().map(|need| (need.action.clone(), need.note.is_some())).collect::<Vec<_>>()
    };
    assert_eq!(actions("1.1"), [("s3:GetBucketLogging".to_owned(), false)]);
    assert_eq!(
        actions("1.3"),
        [("bedrock:ListGuardrails".to_owned(), true), ("sagemaker:ListEndpoints".to_owned(), false)],
        "a service control policy is not settled by a permission, and says so"
    );
}

#[test]
fn base_model_use_only() {
    let mut world = world(scenarios::builtin());
    world.finding("account-region:r", Source::ApiActivity, Dimension::Coverage, "tt");
    world.good_trail();
    world.finding("bedrock:r", Source::ModelInvocations, Dimension::Coverage, "f");
    let account = world.account(A);
    account.subject(SubjectKind::Account, A, &[api_activity(&["r"]), event_history()]);
    account.subject(
        SubjectKind::BedrockRegion,
        "bedrock:r",
        &[api_activity(&["r"]), event_history(), by(Source::ModelInvocations, &["bedrock:r"])],
    );
    let scored = world.score();

    // Invocations are management events, so 1.3 is answered without any log of Bedrock; 1.4 is not.
    assert_eq!(question(&scored, "1.3").verdict, Verdict::Yes);
    assert_eq!(question(&scored, "1.4").verdict, Verdict::No);
    assert_eq!(question(&scored, "1.6").verdict, Verdict::NotJudged);
    assert_eq!(question(&scored, "1.6").not_judged, ["config-history", "identity"]);
    assert_eq!(question(&scored, "2.1").verdict, Verdict::NotApplicable);
    // 1.1, 1.2, 1.3 weigh 2 and give 1; 1.4 weighs 2 and gives 0; 1.5, 1.7, 2.3, 3.4, 3.5 weigh 1 and give 1.
    // (6 + 0 + 5) / (8 + 5) = 11/13. 1.6 and those that nothing can be asked about weigh nothing.
    near(scored.organization.low, 1100.0 / 13.0);
    near(scored.organization.high, 1100.0 / 13.0);
    // The control-plane ones are answered, the content is not: R1. S2 has nothing to ask.
    assert_eq!(tier(&scored, A, "s1-unauthorized-model-access"), (Tier::R1, Tier::R1));
    assert!(!scored.accounts[&A.into()].tiers.contains_key("s2-training-data-exfiltration"));
}

#[test]
fn one_region_of_seventeen() {
    let regions: Vec<String> = (0..17).map(|n| format!("r{n}")).collect();
    let regions: Vec<&str> = regions.iter().map(String::as_str).collect();
    let mut world = world(scenarios::builtin());
    for region in &regions {
        // r9 runs no AI; reads are not recorded there.
        let criteria = if *region == "r9" { "ft" } else { "tt" };
        world.finding(&format!("account-region:{region}"), Source::ApiActivity, Dimension::Coverage, criteria);
    }
    world.good_trail();
    let account = world.account(A);
    account.subject(SubjectKind::Account, A, &[api_activity(&regions), event_history()]);
    account.subject(SubjectKind::BedrockRegion, "bedrock:r0", &[api_activity(&["r0"])]);
    let scored = world.score();

    // The account is as good as its worst region: coverage 1/2, so 1/2; event history gives 0.6 x 1, which is more.
    near(question(&scored, "1.2").low, 0.6);
    assert_eq!(question(&scored, "1.2").verdict, Verdict::Partly);
    // What happened to the models themselves is in their own region's part.
    assert_eq!(question(&scored, "1.3").verdict, Verdict::Yes);
    let fixes = &question(&scored, "1.2").fixes;
    assert_eq!(fixes.iter().map(|f| f.resource.as_str()).collect::<Vec<_>>(), ["account-region:r9"]);
    // Heat map: the account's 1/2 and the Bedrock region's 1 make 75.
    let cell = scored.sources.iter().find(|cell| cell.source == Source::ApiActivity).expect("a cell");
    near(cell.low, 75.0);
}

#[test]
fn training_data_in_an_account_without_ai_counts_for_the_one_that_uses_it() {
    let mut world = world(one_question("training_bucket", READS));
    world.finding("bucket:data", Source::DataEvents, Dimension::Coverage, "tf").account = B.into();
    world.good_trail();
    world.account(A).subject(SubjectKind::TrainingBucket, "bucket:data", &[data_events("bucket:data")]);
    world.account(B).has_ai = Ok(false);
    let scored = world.score();

    // Reads recorded, writes not: has = 1/2, kept = 1, source = 1/2. B is not in the mean.
    near(scored.organization.low, 50.0);
    assert_eq!(scored.organization.accounts, 1);
    assert!(!scored.accounts[&B.into()].scored);
    assert_eq!(question(&scored, "q").account, A.into());
    // The fix is to be made where the bucket is.
    assert_eq!(question(&scored, "q").fixes[0].account, B.into());
    assert_eq!(scored.fixes[0].account, B.into());
    near(scored.fixes[0].gain, 50.0);
}

#[test]
fn two_buckets_each_covered_by_a_different_alternative() {
    let mut world = world(one_question("training_bucket", READS));
    world.finding("bucket:1", Source::DataEvents, Dimension::Coverage, "t");
    world.finding("bucket:1", Source::ObjectAccess, Dimension::Coverage, "f");
    world.finding("bucket:2", Source::DataEvents, Dimension::Coverage, "f");
    world.finding("bucket:2", Source::ObjectAccess, Dimension::Coverage, "t");
    world.finding("bucket:access-logs", Source::ObjectAccess, Dimension::Retention, "t");
    world.good_trail();
    let account = world.account(A);
    for bucket in ["bucket:1", "bucket:2"] {
        let access = by(Source::ObjectAccess, &[bucket, "bucket:access-logs"]);
        account.subject(SubjectKind::TrainingBucket, bucket, &[data_events(bucket), access]);
    }
    let scored = world.score();

    // Each bucket has one source at 1, so each is 1 and so is the mean. Averaging the sources first would have made
    // both 1/2.
    near(question(&scored, "q").low, 1.0);
    assert_eq!(question(&scored, "q").verdict, Verdict::Yes);
}

#[test]
fn too_short_retention_halves_and_never_answers() {
    let mut world = world(one_question("endpoint", CAPTURE));
    world.finding("endpoint:1", Source::InferenceCapture, Dimension::Coverage, "t");
    world.finding("bucket:c", Source::InferenceCapture, Dimension::Retention, "f");
    world.finding("bucket:c", Source::InferenceCapture, Dimension::Integrity, "t");
    let source = by(Source::InferenceCapture, &["endpoint:1", "bucket:c"]);
    world.account(A).subject(SubjectKind::Endpoint, "endpoint:1", &[source]);
    // Less than 90 days: kept = 0 whatever the lock, 1 x (1/2 + 0).
    let scored = world.score();
    near(question(&scored, "q").low, 0.5);
    assert_eq!(question(&scored, "q").verdict, Verdict::Partly);
}

#[test]
fn what_aws_cannot_record_stays_and_says_so() {
    let mut world = world(scenarios::builtin());
    world.finding("endpoint:1", Source::DataEvents, Dimension::Coverage, "t");
    world.finding("trail:t", Source::ApiActivity, Dimension::Integrity, "t");
    let why = "serverless endpoints have no data capture";
    world.account(A).subject(
        SubjectKind::Endpoint,
        "endpoint:1",
        &[data_events("endpoint:1"), (Source::InferenceCapture, Carriage::NotRecordable(why.into()))],
    );
    let scored = world.score();
    // Who called is answered by data events, so nothing is kept away; what was said is not to be had.
    assert_eq!(question(&scored, "1.3").verdict, Verdict::Yes);
    assert!(question(&scored, "1.3").not_recordable.is_empty());
    assert_eq!(question(&scored, "1.4").verdict, Verdict::No);
    assert_eq!(question(&scored, "1.4").not_recordable, [why]);
    assert!(question(&scored, "1.4").fixes.is_empty());
}

#[test]
fn what_nothing_judges_is_left_out_and_caps_the_tier() {
    let mut world = world(one_question("training_bucket", READS));
    world.judged.remove(&(Source::ApiActivity, Dimension::Access));
    world.judged.remove(&(Source::DataEvents, Dimension::Access));
    world.finding("bucket:1", Source::DataEvents, Dimension::Coverage, "t");
    world.good_trail();
    let access = by(Source::ObjectAccess, &["bucket:nowhere"]);
    world.account(A).subject(SubjectKind::TrainingBucket, "bucket:1", &[data_events("bucket:1"), access]);
    let scored = world.score();
    let q = question(&scored, "q");
    near(q.low, 1.0);
    assert_eq!(q.not_judged, ["data-events: access", "object-access"]);
    assert_eq!(tier(&scored, A, "s"), (Tier::R2, Tier::R2));

    let mut all_judged = world.clone();
    all_judged.judged.insert((Source::DataEvents, Dimension::Access));
    assert_eq!(tier(&all_judged.score(), A, "s"), (Tier::R3, Tier::R3));
    // Without the bucket's own check, its coverage is nobody's word: not judged, although the trail is fine.
    world.judged.retain(|(source, _)| *source != Source::DataEvents);
    world.findings.retain(|finding| finding.source != Source::DataEvents);
    assert_eq!(question(&world.score(), "q").verdict, Verdict::NotJudged);
}

#[test]
fn in_force_since_the_youngest_and_design_only_until_a_year_is_over() {
    let since = |days: [i64; 2]| {
        let mut world = world(one_question("endpoint", CAPTURE));
        for (n, days) in days.into_iter().enumerate() {
            let endpoint = format!("endpoint:{n}");
            world.finding(&endpoint, Source::InferenceCapture, Dimension::Coverage, "t");
            let mut source = by(Source::InferenceCapture, &[&endpoint]);
            let Carriage::Parts(parts) = &mut source.1 else { unreachable!("by gives parts") };
            let at = Timestamp::from_unix(AS_OF - days * DAY);
            parts[0].alternatives[0].since = (days > 0).then_some(at);
            if n == 0 {
                world.account(A);
            }
            world.accounts[0].subject(SubjectKind::Endpoint, &endpoint, &[source]);
        }
        let scored = world.score();
        let age = question(&scored, "q").since.map(|at| (AS_OF - at.unix()) / DAY);
        (age, scored.accounts[&A.into()].tiers["s"].design_only)
    };
    assert_eq!(since([800, 400]), (Some(400), false));
    assert_eq!(since([800, 30]), (Some(30), true));
    assert_eq!(since([800, 0]), (None, true), "not known since when");
}

#[test]
fn an_open_population_spares_what_was_not_asked_of_it() {
    let mut world = world(scenarios::builtin());
    world.finding("account-region:r", Source::ApiActivity, Dimension::Coverage, "tt");
    world.good_trail();
    world.account(A).subject(SubjectKind::Account, A, &[api_activity(&["r"])]);
    let unknown = Unknown::new("sagemaker:ListTrainingJobs", Why::Throttled);
    let open = Open {
        source: None,
        kind: "ai_bucket",
        subjects: vec![SubjectKind::TrainingBucket],
        account: A.into(),
        region: None,
        unknown,
    };
    world.accounts[0].open.push(open);
    let scored = world.score();
    assert_eq!(question(&scored, "1.1").verdict, Verdict::Yes);
    assert_eq!(question(&scored, "2.1").verdict, Verdict::CannotTell);
    assert!(question(&scored, "2.1").permissions.is_empty(), "no permission helps against throttling");
    // 1.1, 1.2 weigh 2, 1.5, 1.7, 2.3, 3.4, 3.5 weigh 1, together 9 of 9. 2.1, 2.2 (2 each) and 2.4, 2.6, 2.7 (1
    // each) may come to add 7 that give 0: 9/16. At best all give 1. What is known is full.
    near(scored.organization.low, 900.0 / 16.0);
    near(scored.organization.high, 100.0);
    near(scored.organization.expected.expect("known"), 100.0);
}

#[test]
fn an_account_not_entered_widens_the_score_and_an_excluded_one_does_not() {
    let mut world = world(one_question("training_bucket", READS));
    world.finding("bucket:1", Source::DataEvents, Dimension::Coverage, "t");
    world.good_trail();
    world.account(A).subject(SubjectKind::TrainingBucket, "bucket:1", &[data_events("bucket:1")]);
    world.unentered.push((B.into(), Unknown::new("sts:AssumeRole", Why::Denied)));
    let scored = world.score();
    // A is 100, B anything: (100 + 0) / 2 to (100 + 100) / 2.
    assert_eq!((scored.organization.low, scored.organization.high), (50.0, 100.0));
    assert_eq!(scored.organization.expected, Some(100.0));
    assert_eq!(scored.organization.without_unentered.expect("one was entered").low, 100.0);
    assert_eq!(scored.organization.lowest_account, Some(A.into()), "nothing is known of the other one");
    assert_eq!((scored.organization.tier_low, scored.organization.tier_high), (Tier::R0, Tier::R3));
    let need = &scored.questions.last().expect("of B").permissions[0];
    assert_eq!((need.action.as_str(), need.account.as_str()), ("enter the account", B));

    world.excluded.insert(B.into(), "being closed".into());
    let scored = world.score();
    assert_eq!((scored.organization.low, scored.organization.accounts), (100.0, 1));
    // And with nobody running AI there is nothing to be ready for.
    world.accounts[0].has_ai = Ok(false);
    assert!(world.score().organization.nothing_to_assess);
}

#[test]
fn fixes_prefer_what_helps_several_and_waived_findings_are_not_suggested() {
    let mut world = world(one_question("training_bucket", READS));
    // Three buckets whose trail does not deliver, or whose three access logs are off: one fix against three.
    world.finding("trail:t", Source::ApiActivity, Dimension::Delivery, "f");
    for bucket in ["bucket:1", "bucket:2", "bucket:3"] {
        world.finding(bucket, Source::DataEvents, Dimension::Coverage, "t");
        world.finding(bucket, Source::ObjectAccess, Dimension::Coverage, "f");
    }
    let account = world.account(A);
    for bucket in ["bucket:1", "bucket:2", "bucket:3"] {
        let access = by(Source::ObjectAccess, &[bucket]);
        account.subject(SubjectKind::TrainingBucket, bucket, &[data_events(bucket), access]);
    }
    let scored = world.score();
    let fixes = &question(&scored, "q").fixes;
    assert_eq!(fixes.iter().map(|f| f.resource.as_str()).collect::<Vec<_>>(), ["trail:t"]);
    assert_eq!(scored.fixes.len(), 2);
    assert_eq!((scored.fixes[0].gain, scored.fixes[0].questions.len()), (100.0, 1));

    world.findings[0].exception = Some(ExceptionRef { index: 0, active: true });
    let waived = world.score();
    assert_eq!(waived.organization, scored.organization, "an exception changes no score");
    assert_eq!(waived.fixes.iter().map(|f| f.check.as_str()).collect::<Vec<_>>(), ["object-access-coverage"]);
}

#[test]
fn built_in_scenarios_ask_what_was_agreed() {
    let scenarios = scenarios::builtin();
    let must: Vec<&str> =
        scenarios.iter().flat_map(|s| &s.questions).filter(|q| q.must_have).map(|q| q.id.as_str()).collect();
    assert_eq!(must, ["1.1", "1.2", "1.3", "1.4", "2.1", "2.2", "3.2", "3.3"]);
    assert_eq!(scenarios.iter().map(|s| s.questions.len()).collect::<Vec<_>>(), [7, 7, 7]);
}

#[test]
fn broken_scenarios_are_refused_with_file_and_line() {
    let good = &scenarios::builtin_files()[0];
    let errors = |from: &str, to: &str| {
        assert!(good.1.contains(from), "{from}");
        let user = [(good.0.clone(), good.1.replacen(from, to, 1))];
        scenarios::load(&user).expect_err("broken").to_string()
    };
    let place = |line: usize| format!("s1-unauthorized-model-access.yaml:{line}:");
    let line = |text: &str| good.1.lines().position(|l| l.contains(text)).expect("such a line") + 1;
    let id = line("id: \"1.2\"");
    for (from, to, at, words) in [
        ("id: \"1.2\"", "id: \"1.1\"", id, "question 1.1 occurs twice"),
        ("id: \"1.2\"", "di: \"1.2\"", id, "di"),
        ("[api-activity]", "[api-activty]", line("[api-activity]"), "api-activty"),
        ("[api-activity]", "[]", line("[api-activity]"), "needs a source"),
        ("of: [bedrock_region]", "of: [network]", line("of: [bedrock_region]") - 2, "not asked of network"),
        ("id: s1-", "id: s9-", 1, "must equal the file's name"),
    ] {
        let message = errors(from, to);
        assert!(message.contains(&place(at)) && message.contains(words), "{to}: {message}");
    }
    let both = errors("id: s1-", "id: s9-").lines().count();
    assert_eq!(both, 1);
    // A user's scenario of another name may not take a question's id.
    let copy = good.1.replacen("id: s1-unauthorized-model-access", "id: mine", 1);
    let clash = scenarios::load(&[("mine.yaml".into(), copy.clone())]).expect_err("ids clash").to_string();
    assert!(clash.contains("question 1.1 is also one of scenario `mine`"), "{clash}");
    let replaced = scenarios::load(std::slice::from_ref(good)).expect("the same again");
    assert_eq!(replaced.replaced, ["s1-unauthorized-model-access"]);
}

/// Choices drawn from a seed (SplitMix64), so that a failure is one number.
struct Tape(u64);

impl Tape {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn truth(&mut self, unknown_percent: usize) -> Truth {
        if self.chance(unknown_percent) {
            Truth::Unknown
        } else if self.chance(70) {
            Truth::True
        } else {
            Truth::False
        }
    }
}

const KINDS: [SubjectKind; 4] =
    [SubjectKind::Account, SubjectKind::Endpoint, SubjectKind::TrainingBucket, SubjectKind::Mantle];
const JUDGED: [Source; 3] = [Source::ApiActivity, Source::DataEvents, Source::ObjectAccess];

fn random_scenarios() -> Vec<Scenario> {
    let text = r#"
id: s
title: t
why: w
questions:
- {id: "1", text: q, must_have: true, plane: control, asks_of: [account], paths: [
    {sources: [api-activity], strength: primary}, {sources: [event-history], strength: partial}]}
- {id: "2", text: q, must_have: true, plane: data, asks_of: [endpoint, mantle], paths: [
    {sources: [data-events], strength: primary}, {sources: [api-activity], strength: partial, of: [endpoint]}]}
- {id: "3", text: q, must_have: false, plane: data, asks_of: [training_bucket], paths: [
    {sources: [data-events, api-activity], strength: primary}, {sources: [object-access], strength: partial}]}
- {id: "4", text: q, must_have: false, plane: control, asks_of: [account, endpoint], paths: [
    {sources: [identity, api-activity], strength: primary}]}
- {id: "5", text: q, must_have: true, plane: control, asks_of: [training_bucket], paths: [
    {sources: [api-activity], strength: primary}, {sources: [identity], strength: partial}]}
"#;
    vec![scenarios::parse("s.yaml", text).expect("parses")]
}

/// Adds findings about a resource; `unknown` is the percentage of what is not known.
fn random_findings(world: &mut World, tape: &mut Tape, resource: &str, unknown: usize) {
    for source in JUDGED {
        for dimension in DIMENSIONS {
            if !world.judged.contains(&(source, dimension)) || !tape.chance(35) {
                continue;
            }
            let criteria: String = (0..1 + tape.below(3)).map(|_| 't').collect();
            let finding = world.finding(resource, source, dimension, &criteria);
            for criterion in &mut finding.criteria {
                criterion.status = tape.truth(unknown);
                criterion.required = if tape.chance(unknown / 2) {
                    Truth::Unknown
                } else {
                    tape.pick(&[Truth::True, Truth::True, Truth::False])
                };
            }
            settle(finding);
            if tape.chance(unknown / 3) {
                // It is not known whether the check applies: the engine then knows nothing of its criteria, of some not
                // even how many there are.
                finding.status = Status::Unknown;
                for criterion in &mut finding.criteria {
                    criterion.status = Truth::Unknown;
                    if criterion.required == Truth::True {
                        criterion.required = Truth::Unknown;
                    }
                }
                if tape.chance(30) {
                    finding.criteria.clear();
                }
            }
            if tape.chance(5) {
                finding.status = Status::NotApplicable;
            }
        }
    }
}

fn random_subject(world: &mut World, tape: &mut Tape, kind: SubjectKind, account: &str, unknown: usize) -> Subject {
    let mut sources = BTreeMap::new();
    for source in JUDGED {
        if tape.chance(15) {
            continue;
        }
        if tape.chance(8) {
            sources.insert(source, Carriage::NotRecordable("so AWS says".into()));
            continue;
        }
        let parts = (0..1 + tape.below(2)).map(|_| {
            let alternatives = (0..1 + tape.below(2)).map(|_| {
                let carriers = (0..1 + tape.below(2)).map(|_| Carrier {
                    resource: format!("trail:{}", tape.below(5)).into_id(),
                    judged_as: tape.pick(&JUDGED),
                    certain: !tape.chance(unknown / 3),
                });
                let carriers = carriers.collect();
                Alternative { carriers, certain: !tape.chance(unknown / 3), since: None }
            });
            Part { label: String::new(), alternatives: alternatives.collect() }
        });
        sources.insert(source, Carriage::Parts(parts.collect()));
    }
    if tape.chance(50) {
        sources.insert(Source::EventHistory, Carriage::Inherent);
    }
    let id = format!("subject:{account}:{}", world.accounts.iter().map(|a| a.subjects.len()).sum::<usize>());
    Subject { kind, id: id.into_id(), account: account.into(), region: Some(Region::new("r")), sources }
}

trait IntoId {
    fn into_id(self) -> ResourceId;
}

impl IntoId for String {
    fn into_id(self) -> ResourceId {
        ResourceId::new(self)
    }
}

fn add_subjects(world: &mut World, tape: &mut Tape, at: usize, kinds: &[SubjectKind], most: usize, unknown: usize) {
    let id = world.accounts[at].id.0.clone();
    for _ in 0..tape.below(most + 1) {
        let kind = tape.pick(kinds);
        let subject = random_subject(world, tape, kind, &id, unknown);
        world.accounts[at].subjects.push(subject);
    }
}

fn random_world(tape: &mut Tape) -> World {
    let unknown = tape.pick(&[0, 10, 30, 60]);
    let mut world = world(random_scenarios());
    world.judged = JUDGED
        .into_iter()
        .filter(|_| !tape.chance(8))
        .flat_map(|source| DIMENSIONS.map(|dimension| (source, dimension)))
        .collect();
    let dropped = (tape.pick(&JUDGED), tape.pick(&DIMENSIONS));
    if tape.chance(30) {
        world.judged.remove(&dropped);
    }
    for n in 0..5 {
        random_findings(&mut world, tape, &format!("trail:{n}"), unknown);
    }
    for (at, id) in [A, B].into_iter().enumerate() {
        world.account(id);
        add_subjects(&mut world, tape, at, &KINDS, 3, unknown);
        if tape.chance(unknown) {
            let subjects = vec![tape.pick(&KINDS)];
            let unknown = Unknown::new("sagemaker:ListEndpoints", Why::Denied);
            world.accounts[at].open.push(Open {
                source: None,
                kind: "x",
                subjects,
                account: id.into(),
                region: None,
                unknown,
            });
        }
    }
    if tape.chance(unknown / 3) {
        world.accounts[1].has_ai = Err(Unknown::new("bedrock:ListGuardrails", Why::Denied));
    }
    if tape.chance(unknown / 3) {
        world.unentered.push(("333333333333".into(), Unknown::new("sts:AssumeRole", Why::Denied)));
    }
    world
}

/// One way things may really be, everything known.
fn complete(world: &World, tape: &mut Tape) -> World {
    let mut real = world.clone();
    // Where things are found depends on what is there, not on what was known before.
    let mut more = Vec::new();
    for finding in &mut real.findings {
        if finding.status == Status::NotApplicable {
            continue;
        }
        let doubtful = finding.status == Status::Unknown
            && finding.criteria.iter().all(|criterion| criterion.required != Truth::True);
        if finding.criteria.is_empty() {
            finding.criteria = (0..1 + tape.below(3))
                .map(|_| CriterionResult {
                    expect: "x".into(),
                    required: Truth::True,
                    status: tape.truth(0),
                    points: 1,
                    gap: None,
                    unknown: Vec::new(),
                })
                .collect();
        }
        for criterion in &mut finding.criteria {
            if criterion.status == Truth::Unknown {
                criterion.status = tape.truth(0);
            }
            if criterion.required == Truth::Unknown {
                criterion.required = tape.pick(&[Truth::True, Truth::False]);
            }
        }
        settle(finding);
        if doubtful && tape.chance(40) {
            finding.status = Status::NotApplicable;
        }
    }
    for at in 0..real.accounts.len() {
        for subject in &mut real.accounts[at].subjects {
            for carriage in subject.sources.values_mut() {
                let Carriage::Parts(parts) = carriage else { continue };
                for part in parts {
                    part.alternatives.retain(|alternative| alternative.certain || tape.chance(50));
                    for alternative in &mut part.alternatives {
                        alternative.certain = true;
                        alternative.carriers.retain(|carrier| carrier.certain || tape.chance(50));
                        alternative.carriers.iter_mut().for_each(|carrier| carrier.certain = true);
                    }
                }
            }
        }
        let kinds: Vec<SubjectKind> = real.accounts[at].open.iter().flat_map(|open| open.subjects.clone()).collect();
        real.accounts[at].open.clear();
        if !kinds.is_empty() {
            more.push((at, kinds));
        }
        if real.accounts[at].has_ai.is_err() {
            real.accounts[at].has_ai = Ok(tape.chance(50));
            more.push((at, KINDS.to_vec()));
        }
    }
    for (account, _) in std::mem::take(&mut real.unentered) {
        real.account(account.as_str()).has_ai = Ok(tape.chance(70));
        more.push((real.accounts.len() - 1, KINDS.to_vec()));
    }
    for (at, kinds) in more {
        // Their evidence is their own.
        add_subjects(&mut real, tape, at, &kinds, 3, 0);
    }
    real
}

fn for_each_alternative(world: &mut World, change: impl Fn(&mut Alternative)) {
    let subjects = world.accounts.iter_mut().flat_map(|account| &mut account.subjects);
    for carriage in subjects.flat_map(|subject| subject.sources.values_mut()) {
        if let Carriage::Parts(parts) = carriage {
            parts.iter_mut().flat_map(|part| &mut part.alternatives).for_each(&change);
        }
    }
}

fn within(inner: (f64, f64), outer: (f64, f64)) -> bool {
    outer.0 <= inner.0 + 1e-9 && inner.1 <= outer.1 + 1e-9
}

type Answers<'a> = BTreeMap<(&'a str, &'a str), &'a QuestionResult>;

fn by_question(scored: &Scored) -> Answers<'_> {
    scored.questions.iter().map(|q| ((q.account.as_str(), q.id.as_str()), q)).collect()
}

fn weighs(q: &QuestionResult) -> bool {
    !matches!(q.verdict, Verdict::NotApplicable | Verdict::NotJudged)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn bounds_contain_every_completion(
        seed in any::<u64>(), truth in any::<u64>()
    ) {
        let world = random_world(&mut Tape(seed));
        let before = world.score();
        let after = complete(&world, &mut Tape(truth)).score();

        let (old, new) = (by_question(&before), by_question(&after));
        for (key, q) in &new {
            prop_assert!(!weighs(q) || q.high - q.low < 1e-9, "complete: {q:?}");
            let Some(was) = old.get(key) else { continue };
            let unknown_account = before.accounts[&key.0.into()].score.is_some_and(|s| s.high - s.low > 99.9);
            if !weighs(q) || unknown_account {
                continue;
            }
            prop_assert!(weighs(was), "{was:?} became {q:?}");
            prop_assert!(within((q.low, q.high), (was.low, was.high)), "{was:?} became {q:?}");
            prop_assert!(was.verdict == Verdict::CannotTell || q.verdict == was.verdict, "{was:?} became {q:?}");
        }
        for (account, score) in &after.accounts {
            let Some(was) = before.accounts.get(account) else { continue };
            if let (Some(new), Some(old)) = (score.score, was.score) {
                prop_assert!(within((new.low, new.high), (old.low, old.high)), "{account}: {old:?} became {new:?}");
            }
            for (scenario, new) in &score.tiers {
                let old = was.tiers.get(scenario);
                prop_assert!(
                    old.is_some_and(|old| old.low <= new.low && new.high <= old.high),
                    "{account}: {old:?} became {new:?}"
                );
                let unjudged = new.capped_by.iter().any(|reason| reason.ends_with("nothing judges it yet"));
                prop_assert!(unjudged || new.low == new.high, "complete: {new:?}");
            }
        }
        let (old, new) = (&before.organization, &after.organization);
        if new.expected.is_some() {
            prop_assert!(within((new.low, new.high), (old.low, old.high)), "{old:?} became {new:?}");
        }
        if let Some(expected) = old.expected {
            prop_assert!(within((expected, expected), (old.low, old.high)), "{old:?}");
        }
    }

    #[test]
    fn no_criterion_that_comes_to_hold_lowers_anything(
        seed in any::<u64>(), which in any::<prop::sample::Index>(),
    ) {
        let world = random_world(&mut Tape(seed));
        // Where it is not known whether a check applies, a criterion that holds tells more than that it holds.
        let applies = |finding: &Finding| {
            finding.status != Status::NotApplicable
                && (finding.status != Status::Unknown || finding.criteria.iter().any(|c| c.required == Truth::True))
        };
        let open: Vec<(usize, usize)> = world
            .findings
            .iter()
            .enumerate()
            .filter(|(_, finding)| applies(finding))
            .flat_map(|(f, finding)| (0..finding.criteria.len()).map(move |c| (f, c)))
            .filter(|(f, c)| world.findings[*f].criteria[*c].status != Truth::True)
            .collect();
        prop_assume!(!open.is_empty());
        let (f, c) = open[which.index(open.len())];
        let mut better = world.clone();
        better.findings[f].criteria[c].status = Truth::True;
        settle(&mut better.findings[f]);
        let (before, after) = (world.score(), better.score());

        let (old, new) = (&before.organization, &after.organization);
        prop_assert!(new.low >= old.low - 1e-9 && new.high >= old.high - 1e-9, "{old:?} became {new:?}");
        for (key, q) in by_question(&after) {
            let was = by_question(&before)[&key];
            prop_assert!(q.low >= was.low - 1e-9 && q.high >= was.high - 1e-9, "{was:?} became {q:?}");
        }
        for (account, new) in &after.accounts {
            for (scenario, new) in &new.tiers {
                let old = &before.accounts[account].tiers[scenario];
                prop_assert!(new.low >= old.low && new.high >= old.high, "{old:?} became {new:?}");
            }
        }
    }

    #[test]
    fn named_fixes_turn_the_question_to_yes_and_gains_are_what_scoring_again_gives(
        seed in any::<u64>(),
    ) {
        let mut world = random_world(&mut Tape(seed));
        for (n, finding) in world.findings.iter_mut().enumerate() {
            finding.id = n.to_string();
        }
        // Whether a carrier takes part is settled by no fix.
        for_each_alternative(&mut world, |alternative| alternative.carriers.iter_mut().for_each(|c| c.certain = true));
        let pass = |world: &World, which: &dyn Fn(&Finding) -> bool| {
            let mut fixed = world.clone();
            for finding in fixed.findings.iter_mut().filter(|finding| which(finding)) {
                for criterion in &mut finding.criteria {
                    criterion.status = Truth::True;
                    if criterion.required == Truth::Unknown {
                        criterion.required = Truth::False;
                    }
                }
                settle(finding);
            }
            fixed
        };
        let before = world.score();
        for q in before.questions.iter().filter(|q| !q.fixes.is_empty()) {
            let named: BTreeSet<&str> = q.fixes.iter().map(|fix| fix.finding.as_str()).collect();
            prop_assert!(world.findings.iter().filter(|f| named.contains(f.id.as_str())).all(|f| f.status == Status::Fail));
            let mut fixed = pass(&world, &|finding| named.contains(finding.id.as_str()));
            // What the permissions would settle, settled well.
            fixed = pass(&fixed, &|finding| finding.status == Status::Unknown);
            for_each_alternative(&mut fixed, |alternative| alternative.certain = true);
            fixed.accounts.iter_mut().for_each(|account| account.open.clear());
            let after = fixed.score();
            let after = by_question(&after)[&(q.account.as_str(), q.id.as_str())];
            prop_assert!(matches!(after.verdict, Verdict::Yes | Verdict::NotJudged), "{q:?} became {after:?}");
        }
        for fix in &before.fixes {
            let fixed = pass(&world, &|f| f.status == Status::Fail && f.check == fix.check && f.account == fix.account);
            let gain = fixed.score().organization.low - before.organization.low;
            prop_assert!((gain - fix.gain).abs() < 1e-6, "{fix:?} gains {gain}");
        }
    }
}
