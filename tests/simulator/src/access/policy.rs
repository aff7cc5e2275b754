//! Session policies, as far as they say which actions are allowed.
//!
//! Resources and conditions are not looked at: the sessions of a reader are narrowed by action.

use serde_json::Value;

use crate::services::AwsError;

/// Characters a session policy may hold (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const LONGEST: usize = 2048;

/// Versions of the language, and elements of a document and of a statement. Session policies name no principals
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>).
const VERSIONS: &[&str] = &["2012-10-17", "2008-10-17"];
const ELEMENTS: &[&str] = &["Id", "Statement", "Version"];
const OF_STATEMENTS: &[&str] = &["Action", "Condition", "Effect", "NotAction", "NotResource", "Resource", "Sid"];

const SYNTAX: &str = "Syntax errors in policy.";

/// What a session policy allows.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    statements: Vec<Statement>,
}

#[derive(Debug)]
struct Statement {
    allow: bool,
    /// The actions are those it is not about.
    inverse: bool,
    /// In lower case.
    actions: Vec<String>,
}

impl Policy {
    pub(crate) fn parse(text: &str) -> Result<Self, AwsError> {
        if text.chars().count() > LONGEST {
            let message = format!(
                "1 validation error detected: Value at 'policy' failed to satisfy constraint: Member must have length \
                 less than or equal to {LONGEST}"
            );
            return Err(AwsError::new("ValidationError", 400, message));
        }
        let malformed = |what: &str| AwsError::new("MalformedPolicyDocument", 400, what);
        let document: Value = serde_json::from_str(text).map_err(|_| malformed("This policy contains invalid Json"))?;
        if !document.get("Version").and_then(Value::as_str).is_some_and(|version| VERSIONS.contains(&version)) {
            return Err(malformed("The policy must have a Version of 2012-10-17 or 2008-10-17"));
        }
        let statements = match document.get("Statement").filter(|_| has_only(&document, ELEMENTS)) {
            Some(Value::Array(statements)) => statements.iter().collect(),
            Some(statement @ Value::Object(_)) => vec![statement],
            _ => return Err(malformed(SYNTAX)),
        };
        let statements = statements.into_iter().map(statement).collect::<Option<Vec<_>>>();
        let statements = statements.ok_or_else(|| malformed(SYNTAX))?;
        let mut actions = statements.iter().flat_map(|statement| &statement.actions);
        if !actions.all(|action| action == "*" || action.contains(':')) {
            return Err(malformed("Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc."));
        }
        Ok(Self { statements })
    }

    pub(crate) fn allows(&self, action: &str) -> bool {
        let action = action.to_ascii_lowercase();
        let about = |statement: &&Statement| {
            statement.actions.iter().any(|pattern| matches(pattern, &action)) != statement.inverse
        };
        let mut concerned = self.statements.iter().filter(about).peekable();
        concerned.peek().is_some() && concerned.all(|statement| statement.allow)
    }
}

fn statement(value: &Value) -> Option<Statement> {
    let allow = match value.get("Effect")?.as_str()? {
        "Allow" => true,
        "Deny" => false,
        _ => return None,
    };
    let (inverse, actions) = match (value.get("Action"), value.get("NotAction")) {
        (Some(actions), None) => (false, actions),
        (None, Some(actions)) => (true, actions),
        _ => return None,
    };
    if value.get("Resource").is_some() == value.get("NotResource").is_some() || !has_only(value, OF_STATEMENTS) {
        return None;
    }
    let actions = match actions {
        Value::String(action) => vec![action.to_ascii_lowercase()],
        Value::Array(actions) => {
            actions.iter().map(|action| action.as_str().map(str::to_ascii_lowercase)).collect::<Option<_>>()?
        }
        _ => return None,
    };
    Some(Statement { allow, inverse, actions })
}

fn has_only(value: &Value, known: &[&str]) -> bool {
    value.as_object().is_some_and(|members| members.keys().all(|member| known.contains(&member.as_str())))
}

/// Whether a text is what a pattern describes: `*` stands for any text. Case does not matter.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| strip_prefix(text, first)) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(before) = last.replace(part) {
            match find(rest, before) {
                Some(after) => rest = after,
                None => return false,
            }
        }
    }
    match last {
        None => rest.is_empty(),
        Some(end) => {
            rest.len() >= end.len() && rest.is_char_boundary(rest.len() - end.len()) && {
                let (_, tail) = rest.split_at(rest.len() - end.len());
                tail.eq_ignore_ascii_case(end)
            }
        }
    }
}

fn strip_prefix<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let start = text.get(..prefix.len())?;
    if start.eq_ignore_ascii_case(prefix) { text.get(prefix.len()..) } else { None }
}

fn find<'a>(text: &'a str, part: &str) -> Option<&'a str> {
    text.char_indices().map(|(at, _)| at).chain([text.len()]).find_map(|at| strip_prefix(text.get(at..)?, part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let table = [
            ("s3:Get*", "s3:GetBucketPolicy", true),
            ("s3:Get*", "s3:ListBucket", false),
            ("s3:*Policy", "s3:GetBucketPolicy", true),
            ("s3:*Policy", "s3:GetBucketPolicyStatus", false),
            ("S3:getbucket*Y*", "s3:GetBucketPolicyStatus", true),
            ("*", "s3:GetBucketPolicy", true),
            ("s3:GetBucketPolicy", "s3:GetBucketPolicyStatus", false),
            ("a*a", "a", false),
        ];
        for (pattern, text, wanted) in table {
            assert_eq!(matches(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn what_a_policy_allows() {
        let text = r#"{"Version":"2012-10-17","Statement":[
            {"Effect":"Allow","Action":["s3:Get*","s3:ListAllMyBuckets"],"Resource":"*"},
            {"Effect":"Deny","Action":"s3:GetObject","Resource":"*"}]}"#;
        let policy = Policy::parse(text).unwrap();
        assert!(policy.allows("s3:GetBucketPolicy"));
        assert!(!policy.allows("s3:GetObject"));
        assert!(!policy.allows("s3:ListBucket"));
        assert!(!Policy::default().allows("s3:ListBucket"));
    }

    #[test]
    fn policies_that_aws_refuses() {
        let long = format!(r#"{{"Version":"2012-10-17","Statement":[],"Id":"{}"}}"#, "x".repeat(LONGEST));
        assert_eq!(Policy::parse(&long).unwrap_err().code, "ValidationError");
        assert_eq!(Policy::parse("{").unwrap_err().code, "MalformedPolicyDocument");
        let policy = |version: &str, action: &str, more: &str| {
            Policy::parse(&format!(
                r#"{{"Version":"{version}","Statement":[{{"Effect":"Allow","Action":"{action}"{more}}}]}}"#
            ))
        };
        const ALL: &str = r#","Resource":"*""#;
        for (version, action, more) in [
            ("2012-10-17", "s3:*", ""),
            ("2020-10-17", "s3:*", ALL),
            ("2012-10-17", "garbage", ALL),
            ("2012-10-17", "s3:*", r#","Resource":"*","Foo":1"#),
            ("2012-10-17", "s3:*", r#","Resource":"*","Principal":"*""#),
        ] {
            let refused = policy(version, action, more).unwrap_err();
            assert_eq!(refused.code, "MalformedPolicyDocument", "{version} {action} {more}");
        }
        for (version, action) in [("2012-10-17", "*"), ("2008-10-17", "s3:Get*")] {
            assert!(policy(version, action, ALL).is_ok(), "{version} {action}");
        }
    }
}
