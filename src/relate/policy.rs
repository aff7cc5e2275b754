//! Reads the few things locard needs from a bucket policy: who may deliver logs into it, and who may delete from it.
//!
//! It is not a policy engine: what it does not understand is unknown, never allowed or denied.

use serde_json::Value;

use crate::model::observed::{Told, Unknown, Why};

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

/// Whether the policy lets S3 server access logging write.
/// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/enable-server-access-logging.html>
pub(crate) fn admits_access_logs(document: &str, delivery: &Delivery<'_>) -> Told<bool> {
    let statements = statements(document)?;
    let object = format!("{}/{}", delivery.target_bucket_arn, delivery.target_prefix);
    let concerns =
        |s: &Value| acts_on(s, "s3:PutObject") && of_service(s, "logging.s3.amazonaws.com") && on_resource(s, &object);
    let mut allowed = Ok(false);
    for statement in statements.iter().filter(|s| concerns(s)) {
        let applies = conditions_hold(statement, delivery);
        match statement.get("Effect").and_then(Value::as_str) {
            Some("Deny") => match applies {
                Ok(true) => return Ok(false),
                Ok(false) => {}
                Err(unknown) => return Err(unknown),
            },
            Some("Allow") => match applies {
                Ok(true) => allowed = Ok(true),
                Ok(false) => {}
                Err(unknown) => {
                    if allowed != Ok(true) {
                        allowed = Err(unknown);
                    }
                }
            },
            _ => return Err(undecidable("a statement without Effect")),
        }
    }
    allowed
}

/// Whether the policy lets AWS Config deliver, whatever the conditions: such a bucket is meant to receive it, and AWS
/// Config does not deliver where Object Lock has a default retention.
pub(crate) fn admits_config(document: &str) -> Told<bool> {
    Ok(statements(document)?.iter().any(|s| {
        let services = s.get("Principal").and_then(|p| p.get("Service"));
        s.get("Effect").and_then(Value::as_str) == Some("Allow")
            && acts_on(s, "s3:PutObject")
            && texts(services).contains(&"config.amazonaws.com")
    }))
}

/// Whether deleting versions of objects below `object`, an ARN that ends in a prefix, is denied to everyone but
/// principals that the policy names.
pub(crate) fn denies_deletion(document: &str, object: &str) -> Told<bool> {
    let statements = statements(document)?;
    Ok(["s3:DeleteObject", "s3:DeleteObjectVersion"].iter().all(|action| {
        statements.iter().any(|s| {
            s.get("Effect").and_then(Value::as_str) == Some("Deny")
                && acts_on(s, action)
                && on_resource(s, object)
                && (s.get("NotPrincipal").is_some() || s.get("Principal").is_some_and(is_everyone))
                && only_exempts_principals(s)
        })
    }))
}

fn statements(document: &str) -> Told<Vec<Value>> {
    let policy: Value = serde_json::from_str(document).map_err(|_| undecidable("the bucket policy is not JSON"))?;
    Ok(match policy.get("Statement") {
        Some(Value::Array(list)) => list.clone(),
        Some(one @ Value::Object(_)) => vec![one.clone()],
        _ => return Err(undecidable("the bucket policy has no statements")),
    })
}

fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Case-insensitive match of an IAM pattern with `*` and `?`.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    fn go(p: &[u8], t: &[u8]) -> bool {
        let (mut pi, mut ti, mut star, mut mark) = (0, 0, None, 0);
        while ti < t.len() {
            if pi < p.len() && p[pi] == b'*' {
                star = Some(pi);
                mark = ti;
                pi += 1;
            } else if pi < p.len() && (p[pi] == b'?' || p[pi].eq_ignore_ascii_case(&t[ti])) {
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
    go(pattern.as_bytes(), text.as_bytes())
}

fn acts_on(statement: &Value, action: &str) -> bool {
    if let Some(not) = statement.get("NotAction") {
        return !texts(Some(not)).iter().any(|p| matches(p, action));
    }
    texts(statement.get("Action")).iter().any(|p| matches(p, action))
}

/// Whether a statement's resources take in every key below `object`, an ARN that ends in a prefix.
fn on_resource(statement: &Value, object: &str) -> bool {
    let below = format!("{object}any-key");
    if let Some(not) = statement.get("NotResource") {
        return !texts(Some(not)).iter().any(|p| matches(p, &below));
    }
    texts(statement.get("Resource")).iter().any(|p| matches(p, &below))
}

fn is_everyone(principal: &Value) -> bool {
    match principal {
        Value::String(text) => text == "*",
        Value::Object(map) => map.values().any(|v| texts(Some(v)).contains(&"*")),
        _ => false,
    }
}

fn of_service(statement: &Value, service: &str) -> bool {
    match statement.get("Principal") {
        Some(Value::Object(map)) if map.contains_key("Service") => texts(map.get("Service")).contains(&service),
        Some(principal) => is_everyone(principal),
        // NotPrincipal with Deny: everyone else, this service too unless named.
        None => !statement
            .get("NotPrincipal")
            .and_then(|p| p.get("Service"))
            .is_some_and(|s| texts(Some(s)).contains(&service)),
    }
}

/// Whether the conditions hold for a log delivery; keys whose value we cannot know make it undecidable.
fn conditions_hold(statement: &Value, delivery: &Delivery<'_>) -> Told<bool> {
    let Some(Value::Object(operators)) = statement.get("Condition") else {
        return Ok(true);
    };
    let mut unknown = None;
    for (operator, keys) in operators {
        let Value::Object(keys) = keys else {
            return Err(undecidable("a condition of unknown form"));
        };
        for (key, wanted) in keys {
            let actual = match key.to_ascii_lowercase().as_str() {
                "aws:sourcearn" => delivery.source_bucket_arn,
                "aws:sourceaccount" => delivery.source_account,
                // Log delivery always comes over TLS, from AWS itself, and is no principal of an account.
                "aws:securetransport" => "true",
                "aws:principalisawsservice" => "true",
                "s3:x-amz-acl" => "bucket-owner-full-control",
                _ => {
                    unknown = Some(undecidable(&format!("condition key {key}")));
                    continue;
                }
            };
            let hit = texts(Some(wanted)).iter().any(|p| matches(p, actual))
                || wanted.as_bool().is_some_and(|b| b.to_string() == actual);
            let negated = operator.contains("Not");
            if hit == negated {
                return Ok(false);
            }
        }
    }
    unknown.map_or(Ok(true), Err)
}

/// A Deny whose only conditions exempt principals by negation still binds everybody else.
fn only_exempts_principals(statement: &Value) -> bool {
    let Some(Value::Object(operators)) = statement.get("Condition") else {
        return true;
    };
    operators.iter().all(|(operator, keys)| {
        operator.contains("Not")
            && keys.as_object().is_some_and(|keys| {
                keys.iter().all(|(k, exempt)| {
                    matches!(k.to_ascii_lowercase().as_str(), "aws:principalarn" | "aws:userid" | "aws:username")
                        && texts(Some(exempt)).into_iter().all(names_someone)
                })
            })
    })
}

/// Whether a pattern of principals names some, rather than all of an account or of a sort.
fn names_someone(pattern: &str) -> bool {
    let named = match pattern.strip_prefix("arn:") {
        Some(rest) => rest.splitn(5, ':').nth(4).unwrap_or(""),
        None => pattern,
    };
    !matches!(named.trim_end_matches(['*', '?']), "" | "role/" | "user/" | "assumed-role/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(statements: serde_json::Value) -> Told<bool> {
        let delivery = Delivery {
            source_bucket_arn: "arn:aws:s3:::data",
            source_account: "111122223333",
            target_bucket_arn: "arn:aws:s3:::logs",
            target_prefix: "data/",
        };
        admits_access_logs(&serde_json::json!({"Statement": statements}).to_string(), &delivery)
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
        assert!(
            admits_access_logs(
                "not json",
                &Delivery { source_bucket_arn: "", source_account: "", target_bucket_arn: "", target_prefix: "" }
            )
            .is_err()
        );
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
    }
}
