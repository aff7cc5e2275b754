//! Keys that evidence and AI buckets are encrypted with: whether they can still decrypt.

use std::collections::BTreeSet;

use aws_sdk_kms::operation::describe_key::DescribeKeyInput;

use crate::inventory::kms::{Key, KeyState};
use crate::inventory::{Fact, Line, Read};
use crate::model::ids::Arn;
use crate::model::observed::{Told, Why};

use super::listing::{few_at_a_time, required, required_text, sorted};
use super::scope::Scope;

/// The calls this collector makes.
pub(crate) const CALLS: &[&str] = &["kms:DescribeKey"];

/// The keys named by id, ARN or alias.
pub(crate) async fn collect(scope: &Scope, keys: &BTreeSet<String>) -> Vec<Line> {
    sorted(few_at_a_time(keys.iter().cloned().map(|reference| key(scope, reference))).await)
}

async fn key(scope: &Scope, reference: String) -> Line {
    let mut reads = Vec::new();
    let state = state(scope, &reference, &mut reads).await;
    let fact = Fact::Key(Key { reference: reference.clone(), state });
    Line::new(&scope.account, Some(&scope.region), reference, reads, fact)
}

async fn state(scope: &Scope, reference: &str, reads: &mut Vec<Read>) -> Told<KeyState> {
    let call = "kms:DescribeKey";
    let request = DescribeKeyInput::builder().key_id(reference);
    let (output, read) = scope.ask_or_none(&request, &["NotFoundException"]).await?;
    reads.push(read);
    let Some(output) = output else { return Err(scope.unknown(call, missing(scope, reference))) };
    let key = required(scope, call, "KeyMetadata", output.key_metadata)?;
    Ok(KeyState {
        arn: required_text(scope, call, "Arn", key.arn)?,
        state: required(scope, call, "KeyState", key.key_state)?.as_str().to_owned(),
        manager: key.key_manager.map(|manager| manager.as_str().to_owned()),
    })
}

/// A key of another account may exist and not be shown; one of this account is gone.
fn missing(scope: &Scope, reference: &str) -> Why {
    match Arn::parse(reference) {
        Some(arn) if arn.account != scope.account.as_str() => Why::Foreign,
        Some(_) | None => Why::Vanished,
    }
}
