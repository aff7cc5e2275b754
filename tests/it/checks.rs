//! The check engine at its border: files in, errors or findings out.

mod errors;
mod properties;

use std::collections::BTreeMap;

use locard::check::expr::{self, Env, Scope, Wanted};
use locard::check::{self, CheckSet, SourceFile};
use locard::config::Requirements;
use locard::finding::{Evidence, Finding, Source, Status, Truth};
use locard::model::ids::{Partition, Region, ResourceId};
use locard::model::observed::{Observed, Unknown, Why};
use locard::model::time::{Moment, Timestamp};
use locard::model::value::{Judged, Value};
use locard::relate::kinds::{AccountView, BedrockView, LogGroupView};
use locard::relate::subject::{AccountGraph, Open, Resource};

/// The check of the design document, with cases.
const EXAMPLE: &str = r#"id: bedrock-invocations-unlogged
title: Bedrock records prompts and answers
severity: critical
source: model-invocations
dimension: fidelity
resource: bedrock_region
applies: resource.in_use
not_applicable: No Bedrock use seen in this region since ${resource.in_use_window}.
criteria:
  - points: 2
    required: false
    expect: resource.logging.s3 != null
    gap: No copy in S3.
  - {points: 1, required: false, expect: resource.logging.cloudwatch != null, gap: No CloudWatch copy.}
  - {points: 1, expect: resource.logging.text, gap: Prompts and answers are not recorded.}
  - {points: 1, required: resource.modalities.image, expect: resource.logging.image, gap: Images are not recorded.}
  - points: 0
    expect: >-
      resource.logging.s3 != null ||
      resource.logging.large_bodies_s3 != null
    gap: No durable sink holds whole bodies in ${resource.region}.
why: Nobody can say what the model was asked.
fix: {cli: aws bedrock ..., terraform: resource ..., cloudformation: none}
frameworks: {nist-800-53-r5: [AU-3, AU-12]}
references: ["https://docs.aws.amazon.com/bedrock/latest/userguide/model-invocation-logging.html"]
cases:
  - name: metadata only
    given: {in_use: true, logging: {s3: {bucket: b}, text: false}, unknown: {modalities: denied}}
    expect: {status: fail, points: [2, 3]}
  - name: all there
    given:
      in_use: true
      logging: {s3: {bucket: b}, cloudwatch: {log_group: g}, text: true}
      modalities: {text: true, image: false, embedding: false, video: false, audio: false}
    expect: {status: pass, points: 5}
  - name: cannot see logging, nor all modalities
    given:
      in_use: true
      modalities: {text: true, unknown: {image: throttled}}
      unknown: {logging: denied, modalities.embedding: denied, modalities: {video: denied, audio: failed}}
    expect: {status: unknown, points: [0, 5]}
  - name: nobody uses it
    given: {in_use: false, unknown: {modalities: not_collected}}
    expect: {status: not_applicable}
"#;

fn file(name: &str, text: &str) -> SourceFile {
    SourceFile { name: name.to_owned(), text: text.to_owned(), builtin: false }
}

fn load(files: &[SourceFile]) -> CheckSet {
    check::load(files).unwrap_or_else(|errors| panic!("{errors}"))
}

fn example() -> CheckSet {
    load(&[file("checks/bedrock-invocations-unlogged.yaml", EXAMPLE)])
}

#[test]
fn built_in_checks_load_and_all_their_cases_pass() {
    let files = check::builtin_files();
    let set = load(&files);
    assert_eq!(set.checks.len(), files.len());
    let warnings = check::diagnostic::render(&set.warnings, false);
    assert!(set.warnings.is_empty(), "{warnings}");
    let report = check::cases::run(&set, &[]);
    for check in &report.checks {
        assert!(check.failed.is_empty(), "{}: {:#?}", check.file, check.failed);
        assert!(check.passed >= 3, "{}: at least a passing, a failing and an unknown case", check.file);
    }
}

#[test]
fn the_documented_example_loads_and_its_cases_pass() {
    let set = example();
    let report = check::cases::run(&set, &[]);
    assert_eq!((report.passed(), report.failed()), (4, 0), "{report:#?}");
    assert_eq!(set.warnings, []);
}

#[test]
fn a_failed_case_says_expected_and_got() {
    let text = EXAMPLE.replace("status: fail, points: [2, 3]", "status: pass, points: 2");
    let report = check::cases::run(&load(&[file("bedrock-invocations-unlogged.yaml", &text)]), &[]);
    let failed = &report.checks[0].failed[0];
    assert_eq!((failed.name.as_str(), failed.line), ("metadata only", 27));
    assert_eq!((failed.expected.as_str(), failed.got.as_str()), ("pass, 2 points", "fail, 2 to 3 points"));
    assert!(failed.reason.starts_with("Prompts and answers are not recorded."), "{}", failed.reason);
}

#[test]
fn a_users_check_replaces_the_built_in_one_and_the_digest_tells() {
    let builtin = |text: &str| SourceFile { builtin: true, ..file("checks/bedrock-invocations-unlogged.yaml", text) };
    let shipped = load(&[builtin(EXAMPLE)]);
    let own = EXAMPLE.replace("severity: critical", "severity: low");
    let replaced = load(&[builtin(EXAMPLE), file("mine/bedrock-invocations-unlogged.yaml", &own)]);
    assert_eq!(replaced.replaced, ["bedrock-invocations-unlogged"]);
    assert!(!replaced.checks[0].builtin && shipped.replaced.is_empty());
    assert_ne!(replaced.digest(), shipped.digest());
    assert_eq!(shipped.digest(), load(&[builtin(EXAMPLE)]).digest());
    let missing = shipped.select(&["bedrock-invocation-unlogged".to_owned()]).expect_err("a typo");
    assert_eq!(
        missing.to_string(),
        "there is no check `bedrock-invocation-unlogged`; did you mean `bedrock-invocations-unlogged`?"
    );
}

#[test]
fn the_published_schema_accepts_the_example_and_refuses_a_typo() {
    let schema = jsonschema::validator_for(&check::schema::check_schema()).expect("a schema");
    let json = |text: &str| serde_saphyr::from_str::<serde_json::Value>(text).expect("YAML");
    let errors: Vec<String> = schema.iter_errors(&json(EXAMPLE)).map(|e| e.to_string()).collect();
    assert_eq!(errors, Vec::<String>::new());
    assert!(!schema.is_valid(&json(&EXAMPLE.replace("severity: critical", "severity: hard"))));
    assert!(!schema.is_valid(&json(&EXAMPLE.replace("{in_use: true,", "{in_us: true,"))));
    let markdown = check::schema::kinds_markdown();
    assert!(markdown.contains("| `logging.s3.same_region` | bool or null | It is in the region that writes to it. |"));
    assert!(markdown.contains("| `retention_days` | int | Days evidence should be kept"), "{markdown}");
}

#[test]
fn cases_give_times_thresholds_accounts_and_unknowns_at_any_depth() {
    let trail = "id: trail-stale\ntitle: Delivers\nseverity: low\nsource: api-activity\ndimension: delivery\nresource: trail\n\
        applies: account.has_ai\n\
        criteria: [{expect: age_hours(resource.delivered) < requirements.delivery_hours, gap: \"Last at ${resource.delivered}.\"}]\n\
        cases:\n";
    let given = "covers_ai: true, organization: false, logging: true, validation: true, bucket_exists: true";
    let cases = [
        ("delivered: {age_hours: 23}", "", "pass"),
        ("delivered: {age_hours: 24}", "", "fail"),
        ("delivered: '2025-12-31T01:00:00Z'", "", "pass"),
        ("delivered: {age_days: 3}", "requirements: {delivery_hours: 73}, ", "pass"),
        ("unknown: {delivered: throttled}", "", "unknown"),
        ("delivered: {age_hours: 1}", "account: {has_ai: false}, ", "not_applicable"),
        ("delivered: {age_hours: 1}", "account: {unknown: {has_ai: denied}}, ", "unknown"),
        // Never delivered: null is in no order.
        ("bucket: b", "", "fail"),
    ];
    let cases: String = cases
        .iter()
        .enumerate()
        .map(|(at, (more, scope, status))| {
            format!("  - {{name: n{at}, given: {{{given}, {more}}}, {scope}expect: {{status: {status}}}}}\n")
        })
        .collect();
    let vpc = "id: flows-narrow\ntitle: Recorded\nseverity: low\nsource: network-flows\ndimension: coverage\nresource: ai_vpc\n\
        criteria: [{expect: 'resource.subnets.all(s, s.accept && s.reject)', gap: Gap.}]\n\
        cases:\n\
        - {name: a, given: {subnets: [&ok {id: a, accept: true, reject: true, accept_delivered: true, reject_delivered: true, v2_fields: true, v5_fields: true}]}, expect: {status: pass}}\n\
        - {name: b, given: {subnets: [*ok, {id: b, accept: true, unknown: {reject: denied, accept_delivered: denied, reject_delivered: denied, v2_fields: denied, v5_fields: denied}}]}, expect: {status: unknown}}\n\
        - {name: c, given: {unknown: {subnets: denied}}, expect: {status: unknown}}\n\
        - {name: d, given: {}, expect: {status: pass}}\n";
    let set = load(&[file("trail-stale.yaml", &format!("{trail}{cases}")), file("flows-narrow.yaml", vpc)]);
    let report = check::cases::run(&set, &[]);
    assert_eq!((report.passed(), report.failed()), (12, 0), "{report:#?}");
    assert_eq!(check::cases::run(&set, &["flows-narrow".to_owned()]).passed(), 4);
}

// --- three values ---

fn log_group() -> LogGroupView {
    LogGroupView {
        name: "/aws/x".to_owned(),
        source: "service-logs".to_owned(),
        exists: Ok(true),
        retention_days: Observed::Known(90),
        deletion_protection: Ok(false),
        subscribed: Err(Unknown::new("logs:DescribeSubscriptionFilters", Why::Denied)),
        bucket_copy: Observed::Absent,
        key_usable: Observed::Unknown(Unknown::new("kms:DescribeKey", Why::Denied)),
    }
}

fn account() -> Value {
    AccountView { id: "111122223333".into(), name: None, has_ai: Err(Unknown::new("x:List", Why::Throttled)) }.value()
}

/// What an expression comes to on a log group whose subscription (`subscribed`) and key (`key_usable`) are unknown.
fn truth(text: &str) -> (Truth, Vec<String>) {
    let (expr, faults) = expr::compile(text, &Scope { resource: LogGroupView::ty() }, Wanted::Condition);
    let expr = expr.unwrap_or_else(|| panic!("{text}: {faults:?}"));
    let (resource, account) = (log_group().value(), account());
    let requirements =
        Value::Record(Requirements::default().by_name().into_iter().map(|(name, n)| (name, Value::Int(n))).collect());
    let (truth, blame) = expr.truth(&Env { resource: &resource, account: &account, requirements: &requirements });
    (truth, blame.iter().map(|unknown| unknown.call.clone()).collect())
}

#[test]
fn unknown_absorbs_unless_the_rest_decides() {
    use Truth::{False, True, Unknown};
    let (u, null) = ("resource.subscribed", "(false ? resource.retention_days : null)");
    let list = "[resource.subscribed, resource.exists]";
    for (text, expected) in [
        (format!("{u} && false"), False),
        (format!("false && {u}"), False),
        (format!("{u} && true"), Unknown),
        (format!("true && {u}"), Unknown),
        (format!("{u} || true"), True),
        (format!("true || {u}"), True),
        (format!("{u} || false"), Unknown),
        (format!("!{u}"), Unknown),
        (format!("{u} == {u}"), Unknown),
        (format!("{u} ? true : true"), Unknown),
        ("resource.key_usable == null".to_owned(), Unknown),
        ("resource.key_usable != null".to_owned(), Unknown),
        ("has(resource.key_usable)".to_owned(), Unknown),
        (format!("{list}.exists(x, x)"), True),
        (format!("{list}.all(x, !x)"), False),
        (format!("{list}.all(x, x)"), Unknown),
        (format!("{list}.exists(x, !x)"), Unknown),
        (format!("[true, true, {u}].exists_one(x, x)"), False),
        (format!("[true, {u}].exists_one(x, x)"), Unknown),
        (format!("true in {list}"), True),
        (format!("false in {list}"), Unknown),
        (format!("{u} in []"), False),
        (format!("size({list}) == 2"), True),
        (format!("size({list}.filter(x, x)) == 2"), Unknown),
        (format!("[{u}, true] == [true, false]"), False),
        (format!("[{u}, true] == [true, true]"), Unknown),
        (format!("[{u}] == [true, true]"), False),
        // null: there is none
        (format!("{null} > 3 || {null} <= 3"), False),
        (format!("{null} == null && !has(account.name)"), True),
        ("account.name.startsWith('a')".to_owned(), False),
        ("resource.retention_days >= 90 && resource.retention_days < requirements.retention_days".to_owned(), True),
        ("account.has_ai".to_owned(), Unknown),
    ] {
        let (got, blame) = truth(&text);
        assert_eq!(got, expected, "{text}");
        assert_eq!(got == Unknown, !blame.is_empty(), "{text}");
    }
    assert_eq!(
        truth(&format!("{u} && resource.key_usable && {u}")).1,
        ["logs:DescribeSubscriptionFilters", "kms:DescribeKey"]
    );
    assert_eq!(truth(&format!("{u} && (resource.key_usable || true)")).1, ["logs:DescribeSubscriptionFilters"]);
}

#[test]
fn ages_count_whole_units_up_to_the_reading() {
    let read = Timestamp::from_unix(1_000_000);
    let at = |seconds: i64| Value::Time(Moment { at: Timestamp::from_unix(1_000_000 - seconds), read });
    for (text, seconds, expected) in [
        ("age_hours(resource.delivered) == 23", 86_399, Truth::True),
        ("age_hours(resource.delivered) == 24", 86_400, Truth::True),
        ("age_days(resource.delivered) == 0", 86_399, Truth::True),
        ("age_hours(resource.delivered) == -1", -1, Truth::True),
    ] {
        let ty = locard::relate::kinds::TrailView::ty();
        let (expr, _) = expr::compile(text, &Scope { resource: ty }, Wanted::Condition);
        let resource = Value::Record(BTreeMap::from([("delivered".to_owned(), at(seconds))]));
        let env = Env { resource: &resource, account: &Value::Null, requirements: &Value::Null };
        assert_eq!(expr.expect(text).truth(&env).0, expected, "{text}");
    }
}

// --- findings ---

fn bedrock(region: &str, value: Value) -> Resource {
    Resource {
        kind: "bedrock_region",
        id: ResourceId(format!("bedrock-invocation-logging:111122223333:{region}")),
        account: "111122223333".into(),
        region: Some(Region::new(region)),
        source: None,
        value,
        counts_for: vec!["111122223333".into(), "444455556666".into()],
        ai_path: vec!["agent a".to_owned()],
        ai_path_total: 7,
        evidence: vec![Evidence {
            call: "bedrock:GetModelInvocationLoggingConfiguration".to_owned(),
            at: Timestamp::from_unix(0),
            of: None,
            facts: BTreeMap::new(),
        }],
    }
}

fn bedrock_view(region: &str) -> BedrockView {
    BedrockView {
        region: Region::new(region),
        in_use: Ok(true),
        in_use_window: None,
        logging: Observed::Absent,
        modalities: Err(Unknown::new("cloudwatch:ListMetrics", Why::Denied)),
        delivery_succeeded: Observed::Absent,
        delivery_failed: Observed::Absent,
        data_events: Ok(Vec::new()),
        denied_by_scp: Observed::Absent,
    }
}

fn judge(set: &CheckSet, resources: Vec<Resource>, open: Vec<Open>) -> check::evaluate::Judged {
    let graph = AccountGraph {
        account: "111122223333".into(),
        view: account(),
        has_ai: Ok(true),
        resources,
        subjects: Vec::new(),
        open,
    };
    check::evaluate::evaluate(set, &graph, &Requirements::default(), &Partition::new("aws"))
}

fn summary(finding: &Finding) -> (Status, &str, (u32, u32, u32)) {
    let points = finding.points;
    (finding.status, finding.resource.as_str(), (points.low, points.high, points.max))
}

#[test]
fn a_finding_says_status_points_reason_and_facts() {
    let idle = BedrockView { in_use: Ok(false), ..bedrock_view("eu-north-1") };
    let unseen = BedrockView {
        in_use: Err(Unknown::new("bedrock:ListAgents", Why::Denied).in_region(&Region::new("us-east-1"))),
        ..bedrock_view("us-east-1")
    };
    let unlogged = bedrock_view("eu-west-1");
    let resources = [("us-east-1", unseen), ("eu-north-1", idle), ("eu-west-1", unlogged)];
    let resources = resources.map(|(region, view)| bedrock(region, view.value())).to_vec();
    let judged = judge(&example(), resources, Vec::new());
    assert_eq!(judged.not_applicable, BTreeMap::from([("bedrock-invocations-unlogged".to_owned(), 1)]));

    let [unlogged, unseen] = &judged.findings[..] else { panic!("{judged:#?}") };
    assert_eq!(summary(unlogged), (Status::Fail, "bedrock-invocation-logging:111122223333:eu-west-1", (0, 1, 5)));
    assert_eq!(
        unlogged.reason,
        "Prompts and answers are not recorded. No durable sink holds whole bodies in eu-west-1."
    );
    let facts = serde_json::to_string(&unlogged.evidence[0].facts).expect("JSON");
    assert_eq!(facts, r#"{"in_use":true,"logging":null,"modalities":{"unknown":"cloudwatch:ListMetrics: denied"}}"#);
    assert_eq!((unlogged.ai_path_total, unlogged.counts_for.len()), (7, 2));
    // A condition that is unknown leaves an unmet criterion undecided, and says why.
    let images = &unlogged.criteria[3];
    assert_eq!((images.required, images.status), (Truth::Unknown, Truth::False));
    assert_eq!(images.unknown[0].call, "cloudwatch:ListMetrics");

    assert_eq!(summary(unseen), (Status::Unknown, "bedrock-invocation-logging:111122223333:us-east-1", (0, 5, 5)));
    assert_eq!(unseen.reason, "Whether this applies is not known: bedrock:ListAgents in us-east-1: denied.");
    assert!(unseen.criteria.iter().all(|criterion| criterion.status == Truth::Unknown));
}

#[test]
fn a_criterion_of_unknown_requirement_never_fails_and_passes_only_if_met() {
    let check = EXAMPLE.replace("expect: resource.logging.text,", "expect: resource.in_use,");
    let check = check.split("  - points: 0").next().expect("a head").to_owned() + "why: x\n";
    let set = load(&[file("bedrock-invocations-unlogged.yaml", &check)]);
    let logging = |image| {
        let none = || None;
        Observed::Known(locard::relate::kinds::InvocationLoggingView {
            s3: None,
            cloudwatch: None,
            large_bodies_s3: None,
            text: none(),
            image,
            embedding: none(),
            video: none(),
            audio: none(),
        })
    };
    for (image, expected) in [(Some(true), Status::Pass), (Some(false), Status::Unknown), (None, Status::Unknown)] {
        let view = BedrockView { logging: logging(image), ..bedrock_view("eu-west-1") };
        let judged = judge(&set, vec![bedrock("eu-west-1", view.value())], Vec::new());
        assert_eq!(judged.findings[0].status, expected, "{image:?}");
    }
}

#[test]
fn an_open_population_gives_each_check_one_unknown_finding() {
    let open = |region: Option<&str>, call: &str| Open {
        source: None,
        kind: "bedrock_region",
        subjects: Vec::new(),
        account: "111122223333".into(),
        region: region.map(Region::from),
        unknown: Unknown::new(call, Why::Denied),
    };
    let opens = vec![open(Some("eu-west-1"), "a:List"), open(Some("eu-west-1"), "b:List"), open(None, "c:List")];
    let judged = judge(&example(), Vec::new(), opens);
    let found: Vec<_> = judged.findings.iter().map(summary).collect();
    assert_eq!(
        found,
        [
            (Status::Unknown, "bedrock_region:111122223333", (0, 5, 5)),
            (Status::Unknown, "bedrock_region:111122223333:eu-west-1", (0, 5, 5)),
        ]
    );
    let folded = &judged.findings[1];
    assert_eq!(folded.reason, "Not every bedrock region to judge could be found: a:List: denied; b:List: denied.");
    let required: Vec<Truth> = folded.criteria.iter().map(|criterion| criterion.required).collect();
    assert_eq!(required, [Truth::False, Truth::False, Truth::Unknown, Truth::Unknown, Truth::Unknown]);
    assert!(folded.criteria.iter().all(|c| c.status == Truth::Unknown && c.unknown.len() == 2));
}

#[test]
fn a_carrier_is_judged_only_by_checks_of_its_source() {
    let text = "id: logs-short\ntitle: Kept\nseverity: low\nsource: network-flows\ndimension: retention\nresource: log_group\n\
                criteria: [{expect: resource.retention_days == null || resource.retention_days >= 90, gap: Too short.}]\n";
    let set = load(&[file("logs-short.yaml", text)]);
    let carrier = |source| Resource {
        kind: "log_group",
        source: Some(source),
        value: log_group().value(),
        ..bedrock("eu-west-1", Value::Null)
    };
    let judged = judge(&set, vec![carrier(Source::ServiceLogs), carrier(Source::NetworkFlows)], Vec::new());
    assert_eq!(judged.findings.len(), 1);
    assert_eq!((judged.findings[0].status, judged.findings[0].reason.as_str()), (Status::Pass, "Kept."));
}
