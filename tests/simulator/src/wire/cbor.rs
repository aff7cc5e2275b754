//! Smithy RPC v2 with CBOR bodies, which CloudWatch speaks.
//!
//! <https://smithy.io/2.0/additional-specs/protocols/smithy-rpc-v2.html>

use bytes::Bytes;
use ciborium::Value as Cbor;
use serde_json::{Map, Number, Value, json};

use super::{Reply, Request};
use crate::services::AwsError;

/// Members that hold times: seconds since 1970, tagged as such.
const TIMES: &[&str] = &["Timestamp", "Timestamps", "StartTime", "EndTime", "StateUpdatedTimestamp"];

/// CBOR's tag of a time in seconds since 1970.
const EPOCH: u64 = 1;

pub(super) fn read(request: &Request) -> Result<(String, Value), AwsError> {
    let Some((_, operation)) = request.path.rsplit_once("/operation/") else {
        let message = format!("no operation is at {}", request.path);
        return Err(AwsError::new("UnknownOperationException", 404, message));
    };
    let input = if request.body.is_empty() {
        Value::Object(Map::new())
    } else {
        let cbor: Cbor = ciborium::from_reader(&request.body[..])
            .map_err(|_| AwsError::new("SerializationException", 400, "the body is no CBOR"))?;
        from_cbor(cbor)
    };
    Ok((operation.to_owned(), input))
}

pub(super) fn write(value: &Value) -> Reply {
    reply(200, value)
}

pub(super) fn failure(service: &str, error: &AwsError) -> Reply {
    let name = format!("com.amazonaws.{service}#{}", error.code);
    let mut reply = reply(error.status, &json!({"__type": name, "message": error.message}));
    // How services that once spoke the query protocol tell the code they told then.
    let fault = if error.status < 500 { "Sender" } else { "Receiver" };
    reply.headers.push(("x-amzn-query-error", format!("{};{fault}", error.code)));
    reply
}

fn reply(status: u16, value: &Value) -> Reply {
    let mut body = Vec::with_capacity(256);
    // Writing to memory does not fail.
    let _ = ciborium::into_writer(&to_cbor(value, ""), &mut body);
    let headers = vec![("content-type", "application/cbor".to_owned()), ("smithy-protocol", "rpc-v2-cbor".to_owned())];
    Reply { status, headers, body: Bytes::from(body) }
}

fn to_cbor(value: &Value, name: &str) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(flag) => Cbor::Bool(*flag),
        Value::Number(number) => {
            let plain = match (number.as_i64(), number.as_f64()) {
                (Some(whole), _) => Cbor::Integer(whole.into()),
                (None, float) => Cbor::Float(float.unwrap_or(0.0)),
            };
            if TIMES.contains(&name) { Cbor::Tag(EPOCH, Box::new(plain)) } else { plain }
        }
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| to_cbor(item, name)).collect()),
        Value::Object(members) => {
            Cbor::Map(members.iter().map(|(name, value)| (Cbor::Text(name.clone()), to_cbor(value, name))).collect())
        }
    }
}

fn from_cbor(cbor: Cbor) -> Value {
    match cbor {
        Cbor::Bool(flag) => Value::Bool(flag),
        Cbor::Integer(whole) => i64::try_from(i128::from(whole)).map_or(Value::Null, Value::from),
        Cbor::Float(float) => Number::from_f64(float).map_or(Value::Null, Value::Number),
        Cbor::Text(text) => Value::String(text),
        Cbor::Tag(_, inner) => from_cbor(*inner),
        Cbor::Array(items) => Value::Array(items.into_iter().map(from_cbor).collect()),
        Cbor::Map(members) => {
            let members =
                members.into_iter().filter_map(|(name, value)| Some((name.into_text().ok()?, from_cbor(value))));
            Value::Object(members.collect())
        }
        _ => Value::Null,
    }
}
