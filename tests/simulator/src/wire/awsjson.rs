//! AWS JSON 1.0 and 1.1: the operation is in a header, the input is the body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Reply, Request, object};
use crate::services::AwsError;

pub(super) fn read(request: &Request) -> Result<(String, Value), AwsError> {
    let target = request.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
    let Some((_, operation)) = target else {
        return Err(AwsError::new("UnknownOperationException", 400, "there is no X-Amz-Target"));
    };
    Ok((operation.to_owned(), object(&request.body)?))
}

pub(super) fn failure(error: &AwsError) -> Reply {
    let body = json!({"__type": error.code, "message": error.message}).to_string();
    Reply {
        status: error.status,
        headers: vec![("content-type", "application/x-amz-json-1.1".to_owned())],
        body: Bytes::from(body),
    }
}
