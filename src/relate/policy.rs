//! Reads the few things locard needs from a bucket policy: who may write evidence or copies of it there, whom it refuses,
//! and who may delete it.
//!
//! It is not a policy engine: what it does not understand is unknown, never allowed or denied.

use serde_json::{Map, Value};

use crate::model::ids::AccountId;
use crate::model::observed::{Told, Unknown, Why};

use super::kleene::{all, any, not};
use super::location::meet;

const CALL: &str = "s3:GetBucketPolicy";

fn undecidable(message: &str) -> Unknown {
    Unknown::new(CALL, Why::Undecidable).saying(message)
}

/// The delivery that asks to be let in.
pub(crate) struct Delivery<'a> {
    pub source_bucket_arn: &'a str,
    pub source_account: &'a str,
    pub target_bucket_arn: &'a str,
    pub target_prefix: &'a str,
}

/// Whether the policy lets S3 server access logging write, and whether it forbids it, which no other grant outweighs.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>
pub(crate) struct Verdict {
    pub allowed: Told<bool>,
    pub denied: Told<bool>,
}

pub(crate) fn on_access_logs(document: &str, delivery: &Delivery<'_>) -> Told<Verdict> {
    let statements = statements(document)?;
    let object = format!("{}/{}", delivery.target_bucket_arn, delivery.target_prefix);
    let actual = |key: &str| match key {
        "aws:sourcearn" => Some(delivery.source_bucket_arn),
        "aws:sourceaccount" => Some(delivery.source_account),
        // Log delivery always comes over TLS, from AWS itself, and is no principal of an account.
        "aws:securetransport" | "aws:principalisawsservice" => Some("true"),
        _ => None,
    };
    let whom = |s: &Statement| Ok(s.of_service("logging.s3.amazonaws.com"));
    let holds = |effect| applies(&statements, effect, "s3:PutObject", whom, &object, actual);
    Ok(Verdict { allowed: holds("Allow"), denied: holds("Deny") })
}

/// Whoever writes into a bucket.
pub(crate) enum Writer<'a> {
    /// A service of AWS, for an account.
    Service(&'a str, &'a AccountId),
    Role(Role<'a>),
}

/// Whether the policy refuses what a writer would put below `object`, an ARN that ends in a prefix. No grant outweighs
/// that; whether there is one is not looked at.
pub(crate) fn refuses(document: &str, writer: &Writer<'_>, object: &str) -> Told<bool> {
    let actual = |key: &str| match (writer, key) {
        (Writer::Role(role), key) => role.context(key),
        (Writer::Service(..), "aws:securetransport" | "aws:principalisawsservice") => Some("true"),
        (Writer::Service(_, account), "aws:sourceaccount") => Some(account.as_str()),
        (Writer::Service(..), _) => None,
    };
    let whom = |s: &Statement| match writer {
        Writer::Service(service, _) => Ok(s.of_service(service)),
        Writer::Role(role) => s.of_role(role),
    };
    applies(&statements(document)?, "Deny", "s3:PutObject", whom, object, actual)
}

/// A role of an account.
pub(crate) struct Role<'a> {
    /// None = which role is not known.
    pub arn: Option<&'a str>,
    pub account: &'a AccountId,
    /// Id of the organization the account is in.
    pub organization: Option<&'a str>,
}

impl Role<'_> {
    /// What the role's requests have for a key of a condition.
    fn context(&self, key: &str) -> Option<&str> {
        match key {
            "aws:principalarn" => self.arn,
            "aws:principalaccount" => Some(self.account.as_str()),
            "aws:principalorgid" => self.organization,
            "aws:securetransport" => Some("true"),
            "aws:principalisawsservice" => Some("false"),
            _ => None,
        }
    }
}

/// What the policy says of S3 replicating into every key below `object` as a role.
pub(crate) fn on_replication(document: &str, role: &Role<'_>, object: &str) -> Told<Verdict> {
    let statements = statements(document)?;
    let context = |key: &str| role.context(key);
    let holds =
        |effect| applies(&statements, effect, "s3:ReplicateObject", |s: &Statement| s.of_role(role), object, context);
    Ok(Verdict { allowed: holds("Allow"), denied: holds("Deny") })
}

/// Whether a statement with an effect applies to an action on every key below `object`. `whom`: whether it is about who
/// asks; `actual`: what a request has for a key of a condition.
fn applies<'a>(
    statements: &[Statement],
    effect: &str,
    action: &str,
    whom: impl Fn(&Statement) -> Told<bool>,
    object: &str,
    actual: impl Fn(&str) -> Option<&'a str>,
) -> Told<bool> {
    any(statements.iter().filter(|s| s.effect == effect).map(|s| {
        all([
            Ok(s.acts_on(action)),
            whom(s),
            s.on_every_key(object),
            s.conditions_hold(|operator, key, wanted| holds_for(operator, key, wanted, actual(key))),
        ])
    }))
}

/// Whether the policy lets server access logs or AWS Config in, whatever the conditions: such a bucket is meant to
/// receive them, and neither is delivered where Object Lock has a default retention.
pub(crate) fn admits_what_no_lock_lets_in(document: &str) -> Told<bool> {
    const SERVICES: [&str; 2] = ["config.amazonaws.com", "logging.s3.amazonaws.com"];
    Ok(statements(document)?.iter().any(|s| {
        let named = texts(s.member("Principal").and_then(|p| p.get("Service")));
        s.effect == "Allow" && s.acts_on("s3:PutObject") && SERVICES.iter().any(|service| named.contains(service))
    }))
}

/// Whether deleting versions of objects below `object`, an ARN that ends in a prefix, is denied to everyone but
/// principals that the policy names.
pub(crate) fn denies_deletion(document: &str, object: &str) -> Told<bool> {
    let statements = statements(document)?;
    all(["s3:DeleteObject", "s3:DeleteObjectVersion"].map(|action| {
        any(statements.iter().filter(|s| s.effect == "Deny").map(|s| {
            all([
                Ok(s.acts_on(action) && s.binds_everyone_not_named()),
                s.on_every_key(object),
                s.conditions_hold(binds_all_but_some),
            ])
        }))
    }))
}

/// A statement of a policy.
struct Statement {
    effect: String,
    members: Map<String, Value>,
}

fn statements(document: &str) -> Told<Vec<Statement>> {
    let policy: Value = serde_json::from_str(document).map_err(|_| undecidable("the bucket policy is not JSON"))?;
    let list = match policy.get("Statement") {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(undecidable("the bucket policy has no statements")),
    };
    let read = |statement| {
        let Value::Object(members) = statement else { return Err(undecidable("a statement that is no object")) };
        match members.get("Effect").and_then(Value::as_str) {
            Some(effect @ ("Allow" | "Deny")) => Ok(Statement { effect: effect.to_owned(), members }),
            _ => Err(undecidable("a statement that neither allows nor denies")),
        }
    };
    list.into_iter().map(read).collect()
}

impl Statement {
    fn member(&self, name: &str) -> Option<&Value> {
        self.members.get(name)
    }

    fn acts_on(&self, action: &str) -> bool {
        // Actions are the one thing in policies whose case does not matter.
        let action = action.to_ascii_lowercase();
        let named = |list| texts(list).iter().any(|pattern| matches(&pattern.to_ascii_lowercase(), &action));
        match self.member("NotAction") {
            Some(not) => !named(Some(not)),
            None => named(self.member("Action")),
        }
    }

    /// Whether the resources take in every key below `object`, an ARN that ends in a prefix; only some is unknown, as the
    /// keys that matter may be those or others.
    fn on_every_key(&self, object: &str) -> Told<bool> {
        let named = |list| any(texts(list).into_iter().map(|pattern| takes_in(pattern, object)));
        match self.member("NotResource") {
            Some(excepted) => not(named(Some(excepted))),
            None => named(self.member("Resource")),
        }
    }

    fn of_service(&self, service: &str) -> bool {
        match self.member("Principal") {
            Some(Value::Object(map)) if map.contains_key("Service") => texts(map.get("Service")).contains(&service),
            Some(principal) => is_everyone(principal),
            // NotPrincipal with Deny: everyone else, this service too unless named.
            None => !self
                .member("NotPrincipal")
                .and_then(|p| p.get("Service"))
                .is_some_and(|s| texts(Some(s)).contains(&service)),
        }
    }

    /// Whether the statement is about a role. Sessions and unique ids may be the role's.
    fn of_role(&self, role: &Role<'_>) -> Told<bool> {
        let unsure = || undecidable("a statement is about some roles of the account");
        let Some(principal) = self.member("Principal") else { return Err(unsure()) };
        let account = role.account.as_str();
        let of_one = |text: &str| {
            let named = text.strip_prefix("arn:").and_then(|rest| rest.split_once(account)).map(|(_, rest)| rest);
            match (named, role.arn) {
                _ if text == "*" || text == account || named == Some(":root") => Ok(true),
                (_, Some(arn)) if text == arn => Ok(true),
                (Some(named), None) if named.starts_with(":role/") => Err(unsure()),
                (Some(named), _) if named.starts_with(":assumed-role/") => Err(unsure()),
                (None, _) if text.starts_with("AROA") => Err(unsure()),
                _ => Ok(false),
            }
        };
        let named = match principal {
            Value::String(text) => vec![text.as_str()],
            principal => texts(principal.get("AWS")),
        };
        let canonical = principal.get("CanonicalUser").is_some();
        any(named.into_iter().map(of_one).chain(canonical.then(|| Err(unsure()))))
    }

    fn binds_everyone_not_named(&self) -> bool {
        match self.member("NotPrincipal") {
            Some(excepted) => !is_everyone(excepted),
            None => self.member("Principal").is_some_and(is_everyone),
        }
    }

    /// Whether all conditions hold, by what is known of each: operator, key in lower case, values.
    fn conditions_hold(&self, holds: impl Fn(&str, &str, &Value) -> Told<bool>) -> Told<bool> {
        let operators = match self.member("Condition") {
            None => return Ok(true),
            Some(Value::Object(operators)) => operators,
            Some(_) => return Err(undecidable("a condition of unknown form")),
        };
        all(operators.iter().flat_map(|(operator, keys)| match keys {
            Value::Object(keys) => {
                keys.iter().map(|(key, wanted)| holds(operator, &key.to_ascii_lowercase(), wanted)).collect()
            }
            _ => vec![Err(undecidable("a condition of unknown form"))],
        }))
    }
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Whether text is of an IAM pattern with `*` and `?`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let (p, t) = (pattern.as_bytes(), text.as_bytes());
    let (mut pi, mut ti, mut star, mut mark) = (0, 0, None, 0);
    while ti < t.len() {
        if pi < p.len() && p[pi] == b'*' {
            star = Some(pi);
            mark = ti;
            pi += 1;
        } else if pi < p.len() && (p[pi] == b'?' || p[pi] == t[ti]) {
            pi += 1;
            ti += 1;
        } else if let Some(at) = star {
            pi = at + 1;
            mark += 1;
            ti = mark;
        } else {
            return false;
        }
    }
    p[pi..].iter().all(|b| *b == b'*')
}

/// Whether a pattern of resources takes in every key below `object`; unknown where it may be some of them.
fn takes_in(pattern: &str, object: &str) -> Told<bool> {
    // Keys hold no byte that a pattern could name by chance, so that only wildcards match this one.
    if matches(pattern, &format!("{object}\u{1}\u{1}")) {
        return Ok(true);
    }
    let literal = pattern.split(['*', '?', '$']).next().unwrap_or_default();
    let may = if literal.len() == pattern.len() { literal.starts_with(object) } else { meet(literal, object) };
    if may { Err(undecidable("a statement is about some of the objects")) } else { Ok(false) }
}

fn is_everyone(principal: &Value) -> bool {
    match principal {
        Value::String(text) => text == "*",
        Value::Object(map) => map.values().any(|v| texts(Some(v)).contains(&"*")),
        _ => false,
    }
}

/// Whether one condition holds where its key has this value; none = not known to us.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>
fn holds_for(operator: &str, key: &str, wanted: &Value, actual: Option<&str>) -> Told<bool> {
    let unknown = || undecidable(&format!("a condition on {key}"));
    let actual = actual.ok_or_else(unknown)?;
    // A key that is there is compared as without this.
    let operator = operator.strip_suffix("IfExists").unwrap_or(operator);
    let wanted: Vec<String> = match wanted {
        Value::Bool(truth) => vec![truth.to_string()],
        other => texts(Some(other)).into_iter().map(str::to_owned).collect(),
    };
    if wanted.is_empty() || wanted.iter().any(|text| text.contains("${")) {
        return Err(unknown());
    }
    let one = |same: fn(&str, &str) -> bool| wanted.iter().any(|wanted| same(wanted, actual));
    Ok(match operator {
        "StringEquals" => one(|wanted, actual| wanted == actual),
        "StringNotEquals" => !one(|wanted, actual| wanted == actual),
        "StringEqualsIgnoreCase" | "Bool" => one(str::eq_ignore_ascii_case),
        "StringNotEqualsIgnoreCase" => !one(str::eq_ignore_ascii_case),
        "StringLike" | "ArnEquals" | "ArnLike" => one(matches),
        "StringNotLike" | "ArnNotEquals" | "ArnNotLike" => !one(matches),
        // The key is there.
        "Null" => one(|wanted, _| wanted.eq_ignore_ascii_case("false")),
        _ => return Err(undecidable(&format!("condition operator {operator}"))),
    })
}

/// Whether a condition of a Deny holds for all but principals that it names, whoever deletes and however.
fn binds_all_but_some(operator: &str, key: &str, wanted: &Value) -> Told<bool> {
    let names_principals = matches!(key, "aws:principalarn" | "aws:userid" | "aws:username");
    // Whoever takes a role chooses the name of the session, which stands behind the role's id.
    let named = |text| if key == "aws:userid" { str::split(text, ':').next().unwrap_or(text) } else { text };
    let names_few = || texts(Some(wanted)).into_iter().map(named).all(names_someone);
    let unknown = || Err(undecidable(&format!("who is denied depends on {key}")));
    match operator.strip_suffix("IfExists").unwrap_or(operator) {
        // Without wildcards, each value is one principal at most.
        "StringNotEquals" | "StringNotEqualsIgnoreCase" if names_principals => Ok(true),
        "StringNotLike" | "ArnNotEquals" | "ArnNotLike" if names_principals => Ok(names_few()),
        // Only those it names are denied.
        "StringEquals" | "StringEqualsIgnoreCase" if names_principals => Ok(false),
        "StringLike" | "ArnEquals" | "ArnLike" if names_principals && names_few() => Ok(false),
        // Only whoever does not use TLS, which nobody has to do without.
        "Bool" if key == "aws:securetransport" => match holds_for(operator, key, wanted, Some("true"))? {
            false => Ok(false),
            true => unknown(),
        },
        "NumericLessThan" if key == "s3:tlsversion" => Ok(false),
        _ => unknown(),
    }
}

/// Whether a pattern of principals names some, rather than all of an account or of a sort.
fn names_someone(pattern: &str) -> bool {
    // Sorts of principals that ARNs name, and that unique ids begin with
    // (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html>).
    const SORTS: &[&str] = &["role/", "user/", "assumed-role/", "federated-user/", "AROA", "AIDA", "ASIA", "AKIA"];
    let named = match pattern.strip_prefix("arn:") {
        Some(rest) => rest.splitn(5, ':').nth(4).unwrap_or(""),
        None => pattern,
    };
    let (start, rest) = named.split_at(named.find(['*', '?']).unwrap_or(named.len()));
    let wild = !rest.is_empty();
    // What a wildcard is preceded by says something only beyond the sort, and what follows it if that is letters.
    let beyond = SORTS.iter().filter_map(|sort| start.strip_prefix(sort)).map(str::len).min().unwrap_or(start.len());
    let of_a_sort = wild && SORTS.iter().any(|sort| sort.starts_with(start));
    let letters = |text: &str| text.replace(['*', '?', '/', ':'], "");
    let is_sort = |text: &str| text.is_empty() || SORTS.iter().any(|sort| sort.trim_end_matches('/') == text);
    !is_sort(&letters(named)) && ((beyond > 0 && !of_a_sort) || !is_sort(&letters(rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELIVERY: Delivery<'_> = Delivery {
        source_bucket_arn: "arn:aws:s3:::data",
        source_account: "111122223333",
        target_bucket_arn: "arn:aws:s3:::logs",
        target_prefix: "data/",
    };

    /// Whether a delivery is let in by the policy alone.
    fn admits(statements: serde_json::Value) -> Told<bool> {
        let verdict = on_access_logs(&serde_json::json!({"Statement": statements}).to_string(), &DELIVERY)?;
        all([verdict.allowed, not(verdict.denied)])
    }

    fn allow(condition: serde_json::Value, resource: &str) -> serde_json::Value {
        serde_json::json!({"Effect": "Allow", "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject", "Resource": resource, "Condition": condition})
    }

    #[test]
    fn who_may_deliver_access_logs() {
        use serde_json::json;
        assert_eq!(admits(json!([allow(json!({}), "arn:aws:s3:::logs/*")])), Ok(true));
        assert_eq!(admits(json!(allow(json!({}), "arn:aws:s3:::logs/data/*"))), Ok(true), "one statement is no list");
        assert_eq!(admits(json!([allow(json!({}), "arn:aws:s3:::logs/other/*")])), Ok(false));
        assert_eq!(admits(json!([allow(json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::da*"}}), "*")])), Ok(true));
        assert_eq!(admits(json!([allow(json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::x"}}), "*")])), Ok(false));
        assert_eq!(admits(json!([allow(json!({"StringEquals": {"aws:SourceAccount": "9"}}), "*")])), Ok(false));
        assert!(admits(json!([allow(json!({"StringEquals": {"aws:SourceVpce": "v"}}), "*")])).is_err());
        let tls = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::logs/*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}}});
        assert_eq!(admits(json!([allow(json!({}), "*"), tls])), Ok(true), "log delivery comes over TLS");
        let all = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:Put*", "Resource": "*"});
        assert_eq!(admits(json!([allow(json!({}), "*"), all])), Ok(false));
        let keys = json!({"Effect": "Deny", "Principal": "*", "Action": "s3:PutObject", "Resource": "*",
            "Condition": {"StringNotEquals": {"s3:x-amz-server-side-encryption": "aws:kms"}}});
        assert!(admits(json!([allow(json!({}), "*"), keys])).is_err(), "a header we cannot know");
        assert!(on_access_logs("not json", &DELIVERY).is_err());
    }

    #[test]
    fn what_is_not_understood_neither_lets_in_nor_keeps_out() {
        use serde_json::json;
        let source =
            |operator: &str, value: &str| admits(json!([allow(json!({operator: {"aws:SourceArn": value}}), "*")]));
        assert_eq!(source("StringEquals", "arn:aws:s3:::*"), Ok(false), "a wildcard is a letter to it");
        assert_eq!(source("StringLike", "arn:aws:s3:::*"), Ok(true));
        assert_eq!(source("StringEquals", "arn:aws:s3:::DATA"), Ok(false), "case matters");
        assert_eq!(source("StringEqualsIgnoreCase", "arn:aws:s3:::DATA"), Ok(true));
        assert_eq!(source("ArnNotLike", "arn:aws:s3:::other"), Ok(true));
        assert_eq!(source("Null", "false"), Ok(true), "the key is there");
        assert_eq!(source("Null", "true"), Ok(false));
        assert!(source("ForAnyValue:StringLike", "*").is_err());
        assert!(source("StringEquals", "${aws:PrincipalArn}").is_err());
        let acl = json!({"StringEquals": {"s3:x-amz-acl": "bucket-owner-full-control"}});
        assert!(admits(json!([allow(acl, "*")])).is_err(), "no source says which ACL access logs come with");
        assert_eq!(admits(json!([allow(json!({}), "arn:aws:s3:::logs/Data/*")])), Ok(false), "case matters in keys");
        assert!(admits(json!([allow(json!({}), "arn:aws:s3:::logs/data/2026*")])).is_err(), "some of the keys");
        assert_eq!(admits(json!([allow(json!({}), "arn:aws:s3:::logs")])), Ok(false), "the bucket is no key");
        let some = json!({"Effect": "Deny", "Principal": "*", "Action": "S3:PUTOBJECT", "Resource": "*/2026*"});
        assert!(admits(json!([allow(json!({}), "*"), some])).is_err());
        assert!(admits(json!([{"Effect": "Maybe"}, allow(json!({}), "*")])).is_err());
    }

    #[test]
    fn who_may_delete() {
        let denies = |statement: serde_json::Value| {
            denies_deletion(&serde_json::json!({"Statement": [statement]}).to_string(), "arn:aws:s3:::logs/")
        };
        let deny = |action: serde_json::Value, condition: serde_json::Value| {
            serde_json::json!({"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": action,
                "Resource": "arn:aws:s3:::logs/*", "Condition": condition})
        };
        use serde_json::json;
        let but_one = json!({"ArnNotLike": {"aws:PrincipalArn": "arn:aws:iam::1:role/janitor"}});
        assert_eq!(denies(deny(json!("s3:Delete*"), but_one.clone())), Ok(true));
        assert_eq!(denies(deny(json!(["s3:DeleteObject"]), but_one)), Ok(false), "versions may still go");
        assert_eq!(denies(deny(json!("s3:*"), json!({"Bool": {"aws:SecureTransport": "false"}}))), Ok(false));
        assert_eq!(denies(deny(json!("s3:Delete*"), json!({"StringEquals": {"aws:PrincipalArn": "x"}}))), Ok(false));
        let but =
            |operator: &str, who: &str| denies(deny(json!("s3:Delete*"), json!({operator: {"aws:PrincipalArn": who}})));
        assert_eq!(but("StringNotEquals", "arn:aws:iam::1:role/*"), Ok(true), "a wildcard is a letter to it");
        assert_eq!(but("ArnNotLike", "arn:aws:iam::1:*/*"), Ok(false), "it exempts everyone");
        assert_eq!(but("ArnLike", "arn:aws:iam::1:role/intern"), Ok(false), "it binds one");
        assert!(but("ArnLike", "arn:aws:iam::1:*").is_err(), "it binds everyone of the account");
        for depends in [
            json!({"Bool": {"aws:SecureTransport": "true"}}),
            json!({"StringNotEquals": {"aws:PrincipalTag/team": "forensics"}}),
            json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-1"}}),
        ] {
            assert!(denies(deny(json!("s3:Delete*"), depends.clone())).is_err(), "{depends}");
        }
    }
}
