//! `locard.yaml`: what is refused, where, and with which advice.

use locard::config::{self, UnknownPolicy};
use locard::model::severity::Severity;

/// Problems as `line:column message | help`.
fn problems(text: &str) -> Vec<String> {
    let errors = config::parse(text, "locard.yaml").expect_err("it should be refused");
    errors
        .problems
        .iter()
        .map(|p| match &p.help {
            Some(help) => format!("{}:{} {} | {help}", p.line, p.column, p.message),
            None => format!("{}:{} {}", p.line, p.column, p.message),
        })
        .collect()
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once() {
    let text = "\
role: arn:aws:iam::111122223333:role/LocardAudit
requirements:
  retension_days: 400
  retention_days: 30
exclude_accounts:
  - {account: 012345678901, reason: sandbox}
exceptions:
  - check: trail-not-logging
    owner: ml-platform
    reason: migrating
    created: 2026-01-01
    expires: 2027-06-01
  - check: trail-not-logging
    reason: forgot the owner
    created: 2026-1-1
    expires: 2026-02-01
gate:
  fail_on: hihg
  min_coverage: 95
responder_role: Responder
";
    let expected = [
        "1:7 `role`: `arn:aws:iam::111122223333:role/LocardAudit` is an ARN; the role has the same name in every account, give just that name",
        "3:3 `requirements` has no key `retension_days` | did you mean `retention_days`?",
        "4:19 `retention_days` is 30; it must be between 90 and 36500",
        "6:15 `account`: `012345678901` is not quoted, so YAML takes the account id for a number | write \"012345678901\": as a number an id loses its leading zeros",
        "12:14 `expires` is 2027-06-01, more than 365 days after `created`, 2026-01-01 | 2027-01-01 at the latest; renew it then, so that somebody looks at it again",
        "13:5 each of `exceptions` lacks `owner` | who answers for it",
        "15:14 `created`: `2026-1-1` is not a day written as YYYY-MM-DD",
        "18:12 `fail_on` is `hihg`; it must be one of low, medium, high, critical | did you mean `high`?",
        "19:17 `min_coverage` is 95; it must be between 0 and 1",
        "20:1 `responder_role` is not supported by this version of locard | judging what an incident responder can read is not supported yet; remove the key",
    ];
    assert_eq!(problems(text), expected);
}

/// What a template made of no accounts is no exception for all of them.
#[test]
fn an_exception_for_nobody_is_refused() {
    let text = "exceptions: [{check: c, owner: o, reason: r, created: 2026-01-01, expires: 2026-02-01, accounts: [], regions: []}]";
    let found = problems(text);
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(found[0].contains("`accounts` is empty; it would hold nowhere | name them"), "{found:?}");
}

#[test]
fn a_whole_configuration_is_read_and_agrees_with_its_published_schema() {
    let text = "\
role: audit/LocardAudit
external_id: 'locard-7'
source_identity: locard
regions: [eu-west-1, us-gov-west-1]
skip_regions: [us-east-1]
timeouts: {read: 0.5, attempts: 2}
exclude_accounts: [{account: '012345678901', reason: sandbox}]
requirements: {retention_days: 90, delivery_hours: 48}
exceptions:
  - check: trail-not-logging
    accounts: ['111122223333']
    resource: 'arn:aws:s3:::old-*'
    owner: ml-platform
    approver:
    ticket: '4711'
    reason: migrating
    created: 2026-01-01
    expires: 2026-01-02
gate: {min_score: 70, fail_on: critical, unknown: ignore, min_coverage: 0.95, allow_replaced_checks: false, partial_scope: pilot}
";
    let config = config::parse(text, "locard.yaml").expect("valid");
    assert_eq!(config.role, "audit/LocardAudit");
    assert_eq!(config.exclude_accounts.keys().next().map(|id| id.as_str()), Some("012345678901"));
    assert_eq!((config.requirements.retention_days, config.requirements.lock_days), (90, 365));
    let timeouts = config.timeouts;
    assert_eq!((timeouts.read.as_millis(), timeouts.attempt.as_secs(), timeouts.attempts), (500, 20, 2));
    let exception = &config.exceptions[0];
    assert_eq!(exception.expires.to_string(), "2026-01-03T00:00:00Z", "it holds on the whole day it expires");
    assert_eq!(exception.approver, None);
    assert_eq!((config.gate.min_score, config.gate.fail_on), (Some(70.0), Some(Severity::Critical)));
    assert_eq!((config.gate.unknown, config.gate.allow_replaced_checks), (UnknownPolicy::Ignore, false));

    let schema = jsonschema::validator_for(&config::schema()).expect("a valid schema");
    let without_null = text.replace("    approver:\n", "");
    let as_json: serde_json::Value = serde_saphyr::from_str(&without_null).expect("YAML");
    assert!(schema.is_valid(&as_json), "{:?}", schema.iter_errors(&as_json).map(|e| e.to_string()).collect::<Vec<_>>());
    assert!(!schema.is_valid(&serde_json::json!({"retention_days": 90})));
}

#[test]
fn what_is_not_a_configuration_is_refused_where_it_breaks() {
    assert_eq!(config::parse("", "locard.yaml"), Ok(config::Config::default()));
    assert_eq!(config::parse("# nothing yet\n", "locard.yaml"), Ok(config::Config::default()));
    let cases = [
        ("- role", "1:1 the configuration is a list; it must be a mapping with any of role"),
        ("role: A\nrole: B\n", "2:1 `role` is written twice"),
        ("role: [A\n", "1:7 unclosed bracket"),
        ("min_score: 7\n", "1:1 the configuration has no key `min_score` | it belongs under `gate`"),
        ("external_id: 0123\n", "1:14 `external_id` is a number; it must be text | quote it: \"0123\""),
        ("regions: eu-west-1\n", "1:10 `regions` is text; it must be a list | write [eu-west-1]"),
        ("exclude_accounts: [{account: 111122223333, reason: x}]\n", "1:30 `account`: `111122223333` is not quoted"),
        ("max_rate: 120%\n", "1:11 `max_rate`: `120%` is not a share"),
        ("max_rate: half\n", "1:11 `max_rate`: `half` is not a share"),
        ("gate: {min_score: .nan}\n", "1:19 this is not a finite number"),
        (
            "timeouts: {read: 30}\n",
            "1:18 `read` is 30 s, longer than `attempt` with 20 s | lower `read` or raise `attempt`",
        ),
        ("timeouts: {operation: 10}\n", "1:23 `attempt` is 20 s, longer than `operation` with 10 s"),
        ("timeouts: {attempts: 0}\n", "1:22 `attempts` is 0; it must be between 1 and 20"),
        ("attempts: 3\n", "1:1 the configuration has no key `attempts` | it belongs under `timeouts`"),
        ("regions: [eu-west-1]\nskip_regions: [eu-west-1]\n", "2:16 `eu-west-1` is in `regions` and in `skip_regions`"),
    ];
    for (text, expected) in cases {
        let found = problems(text);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{text:?}: {found:?}");
    }
}

#[test]
fn the_example_in_the_readme_is_valid() {
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let example = readme.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    let config = config::parse(example, "README.md").unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!((config.exceptions.len(), config.exclude_accounts.len()), (1, 1));
}
