//! REST-JSON: the operation is in method and path, the input in path, query and body.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-restjson1-protocol.html>

use bytes::Bytes;
use serde_json::{Value, json};

use super::{Reply, Request, decoded, object, parameters};
use crate::services::{AwsError, routes};

/// Bedrock and its agents are signed for by one name; their paths tell them apart.
pub(super) fn of_agents(path: &str) -> bool {
    let first = path.trim_matches('/').split('/').next();
    routes("bedrock-agent").iter().any(|(_, route, _)| route.trim_matches('/').split('/').next() == first)
}

pub(super) fn read(service: &str, request: &Request) -> Result<(String, Value), AwsError> {
    let path = request.path.trim_matches('/');
    let found = routes(service)
        .iter()
        .filter(|(method, ..)| *method == request.method.as_str())
        .find_map(|(_, route, operation)| Some((*operation, labels(route.trim_matches('/'), path)?)));
    let Some((operation, labels)) = found else {
        let message = format!("no operation is at {} {}", request.method, request.path);
        return Err(AwsError::new("UnknownOperationException", 404, message));
    };
    let mut input = object(&request.body)?;
    if let Value::Object(members) = &mut input {
        members.extend(labels.into_iter().map(|(name, value)| (name, Value::from(value))));
        for (name, value) in parameters(request.query.as_bytes()) {
            members.insert(name, Value::from(value));
        }
    }
    Ok((operation.to_owned(), input))
}

/// The members of the input that a path holds, if it is of this route.
fn labels(route: &str, path: &str) -> Option<Vec<(String, String)>> {
    let mut labels = Vec::new();
    let (mut wanted, mut given) = (route.split('/'), path.split('/'));
    loop {
        match (wanted.next(), given.next()) {
            (None, None) => return Some(labels),
            (Some(part), Some(text)) => match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                Some(name) => labels.push((name.to_owned(), decoded(text))),
                None if part == text => {}
                None => return None,
            },
            _ => return None,
        }
    }
}

pub(super) fn failure(error: &AwsError) -> Reply {
    let headers = vec![("content-type", "application/json".to_owned()), ("x-amzn-errortype", error.code.clone())];
    Reply { status: error.status, headers, body: Bytes::from(json!({"message": error.message}).to_string()) }
}
