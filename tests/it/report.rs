//! Reports of a hand-made run: complete, harmless with hostile names, self-contained, and the same every time.

use std::collections::{BTreeMap, BTreeSet};

use locard::finding::{
    CriterionResult, Dimension, Evidence, ExceptionRef, Finding, Points, Source, Status, Truth, finding_id,
};
use locard::inventory::snapshot::CallCount;
use locard::model::ids::{AccountId, Partition, Region, ResourceId};
use locard::model::observed::{Unknown, Why};
use locard::model::severity::Severity;
use locard::model::time::Timestamp;
use locard::report::{self, Format, Summary, json};
use locard::results::*;

const PROD: &str = "111122223333";
const DEV: &str = "222233334444";
const LOCKED: &str = "333344445555";
const IDLE: &str = "444455556666";
const S1: &str = "s1-unauthorized-model-access";
const S2: &str = "s2-training-data-exfiltration";
const MARKUP: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";
const NASTY: &str = "a|b`c``d @team #12 https://evil.example/ www.evil.example \u{1b}[31mred\u{202E}gnp\nnext";

#[test]
fn html_shows_hostile_names_as_text() {
    let html = html(&sample());
    assert!(!html.contains("<script"), "no script at all");
    assert!(!html.contains("<img"), "no image at all");
    assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "the name is there as text");
    for c in html.chars().filter(|c| *c != '\n') {
        assert!(
            !c.is_control()
                && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
        );
    }
    assert!(html.contains("javascript:alert(3)"), "a reference that is no web address is shown");
    assert!(!html.contains("href=\"javascript"), "and is no link");
}

#[test]
fn html_loads_nothing_and_forbids_loading() {
    let html = html(&sample());
    let tags: String = html.split('<').skip(1).filter_map(|t| t.split('>').next()).collect::<Vec<_>>().join("\n");
    for forbidden in ["link ", "iframe", "object", " src=", " style=", " on", "@import", "url(http", "url(//"] {
        assert!(!tags.contains(forbidden), "{forbidden}");
    }
    let css = between(&html, "<style>", "</style>");
    let policy = between(&html, "http-equiv=\"Content-Security-Policy\" content=\"", "\"");
    assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
    assert_eq!(between(policy, "'sha256-", "'"), base64_sha256(css), "the policy admits exactly this style sheet");
}

#[test]
fn html_has_every_section_in_order_and_every_link_leads_somewhere() {
    let html = html(&sample());
    let ids: Vec<&str> = attributes(&html, "id");
    let unique: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), unique.len(), "ids are unique: {:?}", repeated(&ids));
    let order: Vec<usize> = [
        "readiness",
        "fix-first",
        "questions",
        "sources",
        "accounts",
        "findings",
        "exceptions",
        "coverage",
        "frameworks",
        "method",
        "custody",
    ]
    .iter()
    .map(|id| html.find(&format!(" id=\"{id}\"")).unwrap_or_else(|| panic!("no section {id}")))
    .collect();
    assert!(order.is_sorted(), "sections are in order: {order:?}");
    for href in attributes(&html, "href").into_iter().chain(attributes(&html, "aria-labelledby")) {
        for target in href.strip_prefix('#').unwrap_or(href).split(' ') {
            if !href.starts_with("https://") {
                assert!(unique.contains(target), "{href} leads nowhere");
            }
        }
    }
    assert!(unique.contains(format!("acct-{PROD}").as_str()));
    assert!(unique.contains("chk-bedrock-invocations-unlogged"));
    assert!(unique.contains("exc-1") && unique.contains("exc-2"));
    assert_eq!(html.matches("<h1").count(), 1);
    assert_eq!(html.matches("<table").count(), html.matches("<caption").count(), "every table says what it is");
    assert_eq!(html.matches("<th>").count(), 0, "every header cell has a scope");
    assert!(headings_nest(&html));
    assert!(well_nested(&html));
}

#[test]
fn html_says_what_is_known_and_what_is_not() {
    let text = html(&sample());
    for said in [
        "o-exampleorg1",
        "33.7–71.3",
        "R0 to R1",
        "undecided",
        "cannot tell",
        "not judged",
        "not applicable",
        "2026-01-15T00:00:00Z",
        "s3:GetBucketPolicy",
        "denied by a service control policy",
        "matches nothing",
        "expired",
        "locard evaluate SNAPSHOT --expect-digest 5a4b",
        "serverless endpoints cannot be captured",
        "2–3 of 5 points",
        "resource.logging.text",
        "Excepted",
        "60–71",
        "AU-12",
    ] {
        assert!(text.contains(said), "the report does not say {said:?}");
    }
    // NIST controls in reading order.
    assert!(text.find(">AU-3<") < text.find(">AU-12<"));
}

#[test]
fn markdown_shows_hostile_names_as_text() {
    let md = markdown(&sample());
    let outside = without_code(&md);
    for forbidden in ["<script", "<img", "@team", "#12", "https://evil", "www.evil"] {
        assert!(!outside.contains(forbidden), "{forbidden} outside of code in\n{outside}");
    }
    assert!(md.contains("&lt;script&gt;"), "in prose the name is there as text");
    assert!(md.contains("```a\\|b`c``d @team #12"), "in a table the name stands whole in a longer fence");
    for c in md.chars().filter(|c| *c != '\n') {
        assert!(!c.is_control() && !matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'), "{c:?}");
    }
    assert_tables_are_whole(&md);
}

#[test]
fn markdown_comes_to_the_point_and_counts_what_it_leaves_out() {
    let md = markdown(&sample());
    assert!(md.starts_with("**Verdict: gate undecided.**"), "{}", &md[..200]);
    let order: Vec<usize> = [
        "33.7–71.3",
        "## Gate",
        "## Fix first",
        "## Could we",
        "## Accounts",
        "## Failing",
        "## Exceptions",
        "## Coverage",
    ]
    .iter()
    .map(|h| md.find(h).unwrap_or_else(|| panic!("no {h}")))
    .collect();
    assert!(order.is_sorted(), "{order:?}");
    let big = markdown(&many(60, 2));
    assert!(big.contains("10 more failed or are unknown"), "60 findings of a check, 50 shown");
    assert_tables_are_whole(&big);
    assert_eq!(big.matches("<details").count(), big.matches("</details>").count());
}

#[test]
fn terminal_summary_fits_and_cannot_steer_the_terminal() {
    for results in [sample(), many(500, 3), nothing(), known()] {
        for width in [0, 60, 80, 140, 10_000] {
            let styled = terminal(&results, width);
            let plain = strip_styles(&styled);
            assert!(plain.lines().count() <= 24, "{plain}");
            let columns = plain.lines().map(|l| l.chars().count()).max().unwrap_or(0);
            assert!(columns <= width.clamp(60, 140), "{columns} columns of {width}\n{plain}");
            assert!(!plain.contains('\u{1b}') && !plain.contains('\u{202E}'), "{plain}");
        }
    }
    let plain = strip_styles(&terminal(&sample(), 100));
    for said in [
        "33.7–71.3 of 100",
        "R0 to R1",
        "UNDECIDED",
        "FAIL",
        "UNKNOWN",
        "PASS",
        "cannot tell",
        "not assessed",
        "s3:GetBucketPolicy in 1 account",
        "5a4b",
        "MISSING",
        "expected 48.5",
    ] {
        assert!(plain.contains(said), "no {said:?} in\n{plain}");
    }
}

#[test]
fn equal_results_give_equal_bytes_and_survive_the_file() {
    for results in [sample(), many(20, 4), nothing(), known()] {
        let bytes = json::to_bytes(&results);
        assert_eq!(bytes.last(), Some(&b'\n'));
        let read = json::from_bytes(&bytes).unwrap();
        assert_eq!(read, results);
        for format in Format::ALL {
            assert_eq!(rendered(&results, format), rendered(&read, format));
        }
    }
}

#[test]
fn results_are_valid_by_the_published_schema_and_incomplete_ones_are_not() {
    let schema = json::schema();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&json::to_bytes(&sample())).unwrap();
    let errors: Vec<String> = validator.iter_errors(&whole).map(|e| e.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}");
    for (pointer, key) in
        [("", "coverage"), ("/run", "snapshot_digest"), ("/findings/0", "status"), ("/questions/0", "low")]
    {
        let mut broken = whole.clone();
        broken.pointer_mut(pointer).unwrap().as_object_mut().unwrap().shift_remove(key).unwrap();
        assert!(!validator.is_valid(&broken), "valid without {pointer}/{key}");
        assert!(json::from_bytes(broken.to_string().as_bytes()).is_err());
    }
    let described = schema.pointer("/$defs/Finding/properties/counts_for/description");
    assert_eq!(described.unwrap(), "Every account whose workloads reach the resource.");
}

#[test]
fn results_of_another_version_are_refused_by_name() {
    let text = String::from_utf8(json::to_bytes(&sample())).unwrap();
    let newer = text.replacen("\"schema_version\": \"1.0\"", "\"schema_version\": \"2.7\"", 1);
    let error = json::from_bytes(newer.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("2.7") && error.contains("1.0"), "{error}");
    assert!(json::from_bytes(b"{}").unwrap_err().to_string().contains("no `schema_version`"));
    assert!(json::from_bytes(b"{").is_err());
}

#[test]
fn empty_states_are_said_in_words() {
    let none = html(&nothing());
    assert!(none.contains("No AI workload was found") && none.contains("No exception is configured"));
    assert!(!none.contains("class=\"scorebar\""), "no score is drawn where there is none");
    assert!(markdown(&nothing()).contains("nothing to be ready for"));
    let known = html(&known());
    assert!(known.find("<main") < known.find("One account only"), "limits of the run stand in the main part");
    assert!(known.contains("Nothing failed and nothing is unknown") && known.contains("Account 111122223333"));
    assert!(known.contains("AccessDenied on organizations:ListAccounts"));
    for text in [none, known] {
        let ids: BTreeSet<&str> = attributes(&text, "id").into_iter().collect();
        assert!(attributes(&text, "href").iter().all(|h| !h.starts_with('#') || ids.contains(&h[1..])));
    }
}

#[test]
fn a_large_organization_stays_within_the_budget() {
    let results = many(500, 40);
    assert_eq!(results.findings.len(), 20_000);
    if let Ok(dir) = std::env::var("LOCARD_SAMPLE_REPORTS") {
        write_samples(&dir, &results);
    }
    let html = html(&results);
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    let ids: BTreeSet<&str> = attributes(&html, "id").into_iter().collect();
    for href in attributes(&html, "href") {
        assert!(!href.starts_with('#') || ids.contains(&href[1..]), "{href} leads nowhere");
    }
    let fails = results.findings.iter().filter(|f| f.status == Status::Fail).count();
    assert!(html.contains(&format!("<b>{fails}</b>")), "what is not listed is counted");
}

/// For looking at the reports: `LOCARD_SAMPLE_REPORTS=/tmp/x cargo test --test it large_organization`.
fn write_samples(dir: &str, many: &Results) {
    for (name, results) in [("sample", &sample()), ("many", many), ("nothing", &nothing()), ("known", &known())] {
        for format in [Format::Html, Format::Markdown, Format::Json] {
            let folder = std::path::Path::new(dir).join(name);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(format.file_name()), rendered(results, format)).unwrap();
        }
        let file = std::path::Path::new(dir).join(name).join("terminal.txt");
        std::fs::write(file, terminal(results, 100)).unwrap();
    }
}

#[test]
fn formats_are_read_as_people_write_them() {
    assert_eq!(Format::parse("HTML"), Ok(Format::Html));
    assert_eq!(Format::parse("md"), Ok(Format::Markdown));
    assert!(Format::parse("pdf").unwrap_err().contains("html, markdown, json, schema"));
    assert_eq!(Format::Json.file_name(), "results.json");
}

// --- the samples ---

/// Four accounts: one good, one bad with hostile names, one that could not be entered, one without AI.
fn sample() -> Results {
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
fn nothing() -> Results {
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
fn known() -> Results {
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

/// `accounts` accounts with one finding of each of `checks` checks.
fn many(accounts: usize, checks: usize) -> Results {
    let base = sample();
    let ids: Vec<String> = (0..accounts).map(|n| format!("{:012}", 100_000_000_000 + n as u64)).collect();
    let names: Vec<String> = (0..checks).map(|n| format!("check-number-{n}-of-the-catalogue")).collect();
    let status = |a: usize, c: usize| match (a * 7 + c * 3) % 10 {
        _ if checks < 3 => Status::Fail,
        0..=2 => Status::Fail,
        3 => Status::Unknown,
        _ => Status::Pass,
    };
    let mut findings = Vec::new();
    for (a, id) in ids.iter().enumerate() {
        for (c, name) in names.iter().enumerate() {
            let arn = format!("arn:aws:sagemaker:eu-west-1:{id}:endpoint/service-{a}-{c}-production-endpoint");
            let f = finding(name, id, "eu-west-1", &arn, status(a, c));
            findings.push(if f.status == Status::Unknown { unknown(f) } else { f });
        }
    }
    let template = questions();
    let questions = ids
        .iter()
        .enumerate()
        .flat_map(|(n, id)| {
            let q = template.iter().filter(move |q| q.account.as_str() == if n % 3 == 0 { PROD } else { DEV });
            q.map(move |q| QuestionResult { account: AccountId::new(id.as_str()), ..q.clone() })
        })
        .collect();
    Results {
        accounts: ids
            .iter()
            .enumerate()
            .map(|(n, id)| {
                let low = (n % 90) as f64 * 100.0 / 101.0;
                account(
                    id,
                    Some(&format!("workload-{n}-\u{1b}[2J")),
                    AccountStatus::Assessed,
                    Truth::True,
                    Some((low, low + 8.0)),
                )
            })
            .collect(),
        checks: names
            .iter()
            .map(|n| check(n, &format!("Title of {n}"), Severity::High, Source::InferenceCapture))
            .collect(),
        findings,
        questions,
        sources: ids
            .iter()
            .enumerate()
            .flat_map(|(n, id)| Source::ALL.map(move |s| source(id, s, (n % 80) as f64, (n % 80 + n % 20) as f64)))
            .collect(),
        fixes: ids.iter().map(|id| fix(&names[0], id, 0.02, &[])).collect(),
        ..base
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

// --- looking at output ---

fn html(results: &Results) -> String {
    let html = report::html::html(&Summary::of(results.clone()));
    html.unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)))
}

fn markdown(results: &Results) -> String {
    let markdown = report::markdown::markdown(&Summary::of(results.clone()));
    markdown.unwrap_or_else(|e| panic!("{e}: {:?}", std::error::Error::source(&e)))
}

fn terminal(results: &Results, width: usize) -> String {
    report::terminal::terminal(&Summary::of(results.clone()), width)
}

fn rendered(results: &Results, format: Format) -> Vec<u8> {
    match format {
        Format::Html => html(results).into_bytes(),
        Format::Markdown => markdown(results).into_bytes(),
        Format::Json => json::to_bytes(results),
        Format::Schema => json::schema_bytes(),
    }
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> &'a str {
    let from = text.find(start).unwrap_or_else(|| panic!("no {start}")) + start.len();
    &text[from..from + text[from..].find(end).unwrap_or_else(|| panic!("no {end}"))]
}

/// Values of an attribute, in order; a longer name that ends alike is another attribute.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!(" {name}=\"")).skip(1).filter_map(|rest| rest.split('"').next()).collect()
}

fn repeated<'a>(ids: &[&'a str]) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    ids.iter().copied().filter(|id| !seen.insert(*id)).collect()
}

/// No heading is more than one level below the one before it.
fn headings_nest(html: &str) -> bool {
    let levels = html.split("<h").skip(1).filter_map(|rest| rest.chars().next()?.to_digit(10));
    let mut last = 0;
    for level in levels {
        if level > last + 1 {
            return false;
        }
        last = level;
    }
    last > 0
}

/// Every element of the body that must be closed is, in the right order.
fn well_nested(html: &str) -> bool {
    let mut open: Vec<&str> = Vec::new();
    for tag in between(html, "<body>", "</body>").split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { return false };
        let name = tag.trim_start_matches('/').split([' ', '/']).next().unwrap_or("");
        if tag.starts_with('/') {
            let top = open.pop();
            assert_eq!(top, Some(name), "</{name}> closes {top:?}");
        } else if name != "br" && !tag.ends_with('/') {
            open.push(name);
        }
    }
    open.is_empty()
}

/// Markdown with code spans and fenced blocks taken out.
fn without_code(md: &str) -> String {
    let mut out = String::new();
    let mut rest = md;
    while let Some(start) = rest.find('`') {
        // An escaped backtick is text.
        if rest[..start].ends_with('\\') {
            out.push_str(&rest[..start + 1]);
            rest = &rest[start + 1..];
            continue;
        }
        out.push_str(&rest[..start]);
        let run = rest[start..].chars().take_while(|c| *c == '`').count();
        let body = &rest[start + run..];
        let mut at = 0;
        let end = loop {
            let Some(found) = body[at..].find('`') else { panic!("a fence is never closed: {body:.80}") };
            let closing = body[at + found..].chars().take_while(|c| *c == '`').count();
            if closing == run {
                break at + found;
            }
            at += found + closing;
        };
        rest = &body[end + run..];
    }
    out + rest
}

/// Every row of a table has as many cells as its head.
fn assert_tables_are_whole(md: &str) {
    let cells = |row: &str| row.replace("\\|", "").matches('|').count();
    let mut head = None;
    for line in md.lines() {
        if !line.starts_with('|') {
            head = None;
            continue;
        }
        let wanted = *head.get_or_insert(cells(line));
        assert_eq!(cells(line), wanted, "{line}");
    }
}

fn strip_styles(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn base64_sha256(text: &str) -> String {
    let hex = locard::model::hash::sha256(text.as_bytes());
    let bytes: Vec<u8> = (0..32).map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap()).collect();
    let alphabet: Vec<char> = ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let bits: Vec<u8> = bytes.iter().flat_map(|b| (0..8).rev().map(move |i| b >> i & 1)).collect();
    let mut out: String = bits
        .chunks(6)
        .map(|c| alphabet[(0..6).fold(0, |n, i| n << 1 | usize::from(c.get(i).copied().unwrap_or(0)))])
        .collect();
    while !out.len().is_multiple_of(4) {
        out.push('=');
    }
    out
}
