//! AWS JSON 1.0 and 1.1: the operation is in a header, the input is the body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html>

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Reply, Request, object};
use crate::services::AwsError;

/// What targets of a service begin with.
const PREFIXES: &[(&str, &str)] = &[
    ("AWSOrganizationsV20161128", "organizations"),
    ("CloudTrail_20131101", "cloudtrail"),
    ("com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101", "cloudtrail"),
    ("GraniteServiceVersion20100801", "cloudwatch"),
    ("Logs_20140328", "logs"),
    ("SageMaker", "sagemaker"),
    ("TrentService", "kms"),
];

/// The service that the target of a request is of, if it is one that is known.
pub(super) fn service(request: &Request) -> Option<&'static str> {
    let (prefix, _) = request.header("x-amz-target")?.rsplit_once('.')?;
    PREFIXES.iter().find(|(known, _)| *known == prefix).map(|(_, service)| *service)
}

pub(super) fn read(request: &Request) -> Result<(String, Value), AwsError> {
    let target = request.header("x-amz-target").and_then(|target| target.rsplit_once('.'));
    let Some((_, operation)) = target.filter(|_| service(request).is_some()) else {
        return Err(AwsError::new("UnknownOperationException", 400, "X-Amz-Target names no operation"));
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
