//! The protocols: a request becomes a call, an outcome a response, one file a protocol.
//!
//! What is answered is in `services`.

mod awsjson;
mod cbor;
mod query;
mod restjson;
mod s3;
pub(crate) mod xml;

use bytes::Bytes;
use hyper::{HeaderMap, Method};
use serde_json::Value;

use crate::services::{Answer, AwsError, Outcome};
pub(crate) use s3::unchunked;

/// A request as it came, whole.
#[derive(Clone)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// Still percent-encoded, as signed.
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// How a service speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    RestJson,
    Query,
    Ec2,
    S3,
    Cbor,
}

/// What a request asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) protocol: Protocol,
    pub(crate) service: &'static str,
    pub(crate) operation: String,
    pub(crate) input: Value,
}

/// A response, before anything is done to it on purpose.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// The service of a request and its protocol, by the name it is signed for and, where two share one, by the path.
pub(crate) fn service(signed_for: &str, request: &Request) -> Option<(&'static str, Protocol)> {
    Some(match signed_for {
        "sts" => ("sts", Protocol::Query),
        "ec2" => ("ec2", Protocol::Ec2),
        "s3" => ("s3", Protocol::S3),
        "account" => ("account", Protocol::RestJson),
        "bedrock" if restjson::of_agents(&request.path) => ("bedrock-agent", Protocol::RestJson),
        "bedrock" => ("bedrock", Protocol::RestJson),
        "organizations" => ("organizations", Protocol::Json),
        "sagemaker" => ("sagemaker", Protocol::Json),
        "cloudtrail" => ("cloudtrail", Protocol::Json),
        "logs" => ("logs", Protocol::Json),
        "kms" => ("kms", Protocol::Json),
        "monitoring" if request.headers.contains_key("x-amz-target") => ("cloudwatch", Protocol::Json),
        // What it spoke before, and older clients still do.
        "monitoring" if request.header("content-type").is_some_and(|kind| kind.contains("form-urlencoded")) => {
            ("cloudwatch", Protocol::Query)
        }
        "monitoring" => ("cloudwatch", Protocol::Cbor),
        _ => return None,
    })
}

/// The service that a request names besides the one it is signed for, if it does.
pub(crate) fn target(request: &Request) -> Option<&'static str> {
    awsjson::service(request)
}

/// The protocol of a request by what it is like, for services that nothing is known of; none if it tells nothing.
pub(crate) fn spoken(request: &Request) -> Option<Protocol> {
    let kind = request.header("content-type").unwrap_or_default();
    if request.headers.contains_key("x-amz-target") {
        Some(Protocol::Json)
    } else if request.header("smithy-protocol") == Some("rpc-v2-cbor") {
        Some(Protocol::Cbor)
    } else if kind.contains("form-urlencoded") || request.query.split('&').any(|part| part.starts_with("Action=")) {
        Some(Protocol::Query)
    } else if kind.contains("json") {
        Some(Protocol::RestJson)
    } else {
        None
    }
}

/// What a request asks its service for.
pub(crate) fn read(service: &'static str, protocol: Protocol, request: &Request) -> Result<Asked, AwsError> {
    let (operation, input) = match protocol {
        Protocol::Json => awsjson::read(request)?,
        Protocol::RestJson => restjson::read(service, request)?,
        Protocol::Query | Protocol::Ec2 => query::read(request)?,
        Protocol::S3 => s3::read(request)?,
        Protocol::Cbor => cbor::read(request)?,
    };
    Ok(Asked { protocol, service, operation, input })
}

/// The response that carries an outcome.
pub(crate) fn write(protocol: Protocol, service: &str, operation: &str, id: &str, outcome: Outcome) -> Reply {
    match outcome {
        Ok(Answer::Bytes { status, headers, body }) => Reply { status, headers, body },
        Ok(Answer::Json(value)) => match protocol {
            Protocol::Cbor => cbor::write(&value),
            Protocol::Query => query::write(operation, id, query::element(&value)),
            _ => json(200, protocol, &value),
        },
        Ok(Answer::Xml(element)) => match protocol {
            Protocol::Query => query::write(operation, id, element),
            Protocol::Ec2 => query::write_ec2(operation, id, element),
            _ => xml_reply(200, xml::document(&element)),
        },
        Err(error) => failure(protocol, service, id, &error),
    }
}

fn failure(protocol: Protocol, service: &str, id: &str, error: &AwsError) -> Reply {
    match protocol {
        Protocol::Json => awsjson::failure(error),
        Protocol::RestJson => restjson::failure(error),
        Protocol::Query => xml_reply(error.status, query::failure(id, error)),
        Protocol::Ec2 => xml_reply(error.status, query::failure_ec2(id, error)),
        Protocol::S3 => s3::failure(id, error),
        Protocol::Cbor => cbor::failure(service, error),
    }
}

fn json(status: u16, protocol: Protocol, value: &Value) -> Reply {
    let kind = match protocol {
        Protocol::RestJson => "application/json",
        _ => "application/x-amz-json-1.1",
    };
    let body = Bytes::from(value.to_string());
    Reply { status, headers: vec![("content-type", kind.to_owned())], body }
}

fn xml_reply(status: u16, text: String) -> Reply {
    Reply { status, headers: vec![("content-type", "text/xml;charset=UTF-8".to_owned())], body: Bytes::from(text) }
}

/// `%2F` and the like as the characters they stand for.
pub(crate) fn decoded(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

/// The parameters of a query or form, decoded. A plus sign stands for a space in both.
fn parameters(query: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(query).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
}

/// The body as an object; none at all is an empty one.
fn object(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(Value::Object(serde_json::Map::new()));
    }
    match serde_json::from_slice(body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(AwsError::new("SerializationException", 400, "the body is no JSON object")),
    }
}
