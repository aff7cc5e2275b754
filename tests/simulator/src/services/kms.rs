//! KMS: keys, by id, ARN or alias.
//!
//! Keys have no material; nothing is encrypted.

use serde_json::{Map, Value, json};

use super::listing::{self, Pages};
use super::{Answer, AwsError, Call, Outcome};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    match call.operation {
        "DescribeKey" => describe_key(call),
        "ListKeys" => marked(call, "keys", "Keys", &["KeyId", "KeyArn=Arn"]),
        "ListAliases" => marked(call, "aliases", "Aliases", &[]),
        _ => Err(AwsError::unknown_operation(call)),
    }
}

/// What a call names a key by.
enum Reference<'a> {
    Key(&'a str),
    Alias(&'a str),
}

fn describe_key(call: &Call<'_>) -> Outcome {
    let given = call.text("KeyId").ok_or_else(|| listing::missing_parameter("KeyId"))?;
    let local = match given.strip_prefix("arn:") {
        None => given,
        Some(arn) => {
            let mut parts = arn.splitn(5, ':').skip(2);
            let (region, owner, rest) = (parts.next(), parts.next(), parts.next());
            match (region, owner, rest) {
                (Some(region), _, _) if region != call.region => {
                    return Err(not_found(format!("Invalid arn {region}")));
                }
                (_, Some(owner), Some(rest)) if owner == call.account => rest,
                (_, Some(_), Some(_)) => return Err(not_shared(call, given)),
                _ => return Err(AwsError::new("InvalidArnException", 400, format!("Invalid arn {given}"))),
            }
        }
    };
    let reference = match local.strip_prefix("key/").unwrap_or(local) {
        alias if alias.starts_with("alias/") => Reference::Alias(alias),
        key => Reference::Key(key),
    };
    let key = match reference {
        Reference::Key(id) => by_id(call, id),
        Reference::Alias(name) => {
            let alias = all(call, "aliases").iter().find(|alias| text(alias, "AliasName") == name);
            match alias {
                Some(alias) => by_id(call, text(alias, "TargetKeyId")),
                None => aws_managed(call, name),
            }
        }
    };
    let arn = |local: &str| format!("arn:aws:kms:{}:{}:{local}", call.region, call.account);
    let key = key.ok_or_else(|| match reference {
        Reference::Key(id) => not_found(format!("Key '{}' does not exist", arn(&format!("key/{id}")))),
        Reference::Alias(name) => not_found(format!("Alias {} is not found.", arn(name))),
    })?;
    Ok(Answer::Json(json!({ "KeyMetadata": key })))
}

fn all<'a>(call: &Call<'a>, kind: &str) -> &'a [Value] {
    call.world.estate.account(call.account).map_or(&[], |account| account.all(call.region, "kms", kind))
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

fn by_id(call: &Call<'_>, id: &str) -> Option<Value> {
    all(call, "keys").iter().find(|key| text(key, "KeyId") == id).cloned()
}

/// AWS makes its own key of a service when somebody first asks for it.
fn aws_managed(call: &Call<'_>, alias: &str) -> Option<Value> {
    let service = alias.strip_prefix("alias/aws/")?;
    let digits = service.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
    let id = format!("00000000-0000-4000-8000-{:012x}", digits & 0xffff_ffff_ffff);
    Some(json!({
        "AWSAccountId": call.account,
        "KeyId": id,
        "Arn": format!("arn:aws:kms:{}:{}:key/{id}", call.region, call.account),
        "CreationDate": 1_600_000_000.0,
        "Enabled": true,
        "KeyUsage": "ENCRYPT_DECRYPT",
        "KeyState": "Enabled",
        "Origin": "AWS_KMS",
        "KeyManager": "AWS",
        "KeySpec": "SYMMETRIC_DEFAULT",
    }))
}

fn not_found(message: String) -> AwsError {
    AwsError::new("NotFoundException", 400, message)
}

/// A key of another account shows itself only to those its policy names, which is nobody here.
fn not_shared(call: &Call<'_>, arn: &str) -> AwsError {
    let message = format!(
        "User: {} is not authorized to perform: kms:DescribeKey on resource: {arn} because the resource does not exist \
         in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access",
        call.caller.arn
    );
    AwsError::new("AccessDeniedException", 400, message)
}

const MARKED: Pages = Pages {
    size: "Limit",
    token: "Marker",
    next: "NextMarker",
    default: 100,
    most: 1000,
    refusal: "ValidationException",
    unknown: "InvalidMarkerException",
};

/// KMS says of each page whether it is the last.
fn marked(call: &Call<'_>, kind: &str, items: &str, members: &[&str]) -> Outcome {
    let (offset, size) = listing::window(call, MARKED)?;
    let (page, next) = listing::page(call, all(call, kind), offset, size);
    let mut output = Map::new();
    output.insert(items.to_owned(), page.iter().map(|item| listing::summary(item, members)).collect());
    output.insert("Truncated".to_owned(), next.is_some().into());
    output.extend(next.map(|next| (MARKED.next.to_owned(), Value::from(next))));
    Ok(Answer::Json(Value::Object(output)))
}
