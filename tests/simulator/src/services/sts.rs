//! STS: whose credentials these are, and sessions of the audit roles.
//!
//! A role is open to identities of the estate's caller account that know its external id, if it asks for one.

use std::time::Duration;

use jiff::SignedDuration;

use super::{Answer, AwsError, Call, Outcome};
use crate::access::policy::Policy;
use crate::wire::xml::Element;

/// What a session may be asked to last, and what one made from another session may
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const SHORTEST: i64 = 900;
const LONGEST: i64 = 43_200;
const CHAINED: i64 = 3600;

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "GetCallerIdentity" => Ok(Answer::Xml(
            Element::new("")
                .with("Arn", call.caller.arn.as_str())
                .with("UserId", call.caller.user_id.as_str())
                .with("Account", call.caller.account.as_str()),
        )),
        "AssumeRole" => assume_role(call),
        "GetAccessKeyInfo" => {
            let key = call.text("AccessKeyId").unwrap_or_default();
            match call.world.sessions.find(key) {
                Some(session) => Ok(Answer::Xml(Element::new("").with("Account", session.identity.account.as_str()))),
                None => Err(invalid("the access key is nobody's")),
            }
        }
        _ => Err(AwsError::unknown_operation(call)),
    }
}

/// The account a role is in, by its ARN.
pub(crate) fn account_of(role_arn: &str) -> Option<&str> {
    role_arn.split(':').nth(4).filter(|account| account.len() == 12)
}

fn assume_role(call: &Call<'_>) -> Outcome {
    let arn = call.text("RoleArn").unwrap_or_default();
    let name = call.text("RoleSessionName").unwrap_or_default();
    let role = arn.splitn(6, ':').nth(5).and_then(|rest| rest.strip_prefix("role/"));
    let (Some(account), Some(role)) = (account_of(arn), role) else {
        return Err(invalid(&format!("{arn} is invalid")));
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(plain) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint"
        )));
    }
    let asked = call.integer("DurationSeconds")?.unwrap_or(CHAINED);
    if !(SHORTEST..=LONGEST).contains(&asked) {
        return Err(invalid(&format!(
            "1 validation error detected: Value '{asked}' at 'durationSeconds' failed to satisfy constraint"
        )));
    }
    if call.caller.role && asked > CHAINED {
        let message =
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining";
        return Err(invalid(message));
    }
    let policy = call.text("Policy").map(Policy::parse).transpose()?;
    admitted(call, arn, account, role)?;

    let asked = Duration::from_secs(asked.unsigned_abs());
    let longest = call.world.longest_session.unwrap_or(asked);
    let lasts = asked.min(longest);
    let now = call.world.now();
    let expires = now.checked_add(SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX)).unwrap_or(now);
    let session = call.world.sessions.make(account, role, name, expires, policy);
    let credentials = Element::new("Credentials")
        .with("AccessKeyId", session.access_key.as_str())
        .with("SecretAccessKey", session.secret.as_str())
        .maybe("SessionToken", session.token.as_deref())
        .with("Expiration", expires.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    let user = Element::new("AssumedRoleUser")
        .with("AssumedRoleId", session.identity.user_id.as_str())
        .with("Arn", session.identity.arn.as_str());
    Ok(Answer::Xml(Element::new("").child(credentials).child(user)))
}

/// A role that does not exist, a wrong external id and a refusing trust policy look the same.
fn admitted(call: &Call<'_>, arn: &str, account: &str, role: &str) -> Result<(), AwsError> {
    let estate = &call.world.estate;
    let known = estate.listing(account).filter(|listing| listing.state == "ACTIVE");
    let found = known.and_then(|_| estate.account(account)).map(|account| &account.role);
    let admitted = found.is_some_and(|found| {
        !found.missing
            && found.name.trim_start_matches('/') == role
            && found.external_id.as_deref().is_none_or(|id| call.text("ExternalId") == Some(id))
    });
    if admitted && call.account == estate.caller {
        if estate.account(account).is_some_and(|account| account.enabled(call.region)) {
            return Ok(());
        }
        let message = format!("STS is not activated in this region for account:{account}.");
        return Err(AwsError::new("RegionDisabledException", 403, message));
    }
    let who = &call.caller.arn;
    let message = format!("User: {who} is not authorized to perform: sts:AssumeRole on resource: {arn}");
    Err(AwsError::new("AccessDenied", 403, message))
}

fn invalid(message: &str) -> AwsError {
    AwsError::new("ValidationError", 400, message)
}
