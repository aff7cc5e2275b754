//! The query protocols of STS, CloudWatch and EC2: the input is a form, the output XML.
//!
//! <https://smithy.io/2.0/aws/protocols/aws-query-protocol.html>,
//! <https://smithy.io/2.0/aws/protocols/aws-ec2-query-protocol.html>

use serde_json::{Map, Value};

use super::xml::{self, Element};
use super::{Reply, Request, parameters, xml_reply};
use crate::services::AwsError;

/// Lists longer than this are a mistake.
const LONGEST: usize = 1000;

/// Lists and structures are nested by the dots in their names; `Filter.1.Value.2` is a list in a list. The members
/// have the names of the wire, which for EC2 are singular.
pub(super) fn read(request: &Request) -> Result<(String, Value), AwsError> {
    let form = if request.body.is_empty() { request.query.as_bytes() } else { &request.body[..] };
    let mut input = Value::Object(Map::new());
    let mut operation = None;
    for (name, value) in parameters(form) {
        match name.as_str() {
            "Action" => operation = Some(value),
            "Version" => {}
            _ => {
                let parts: Vec<&str> = name.split('.').filter(|part| *part != "member").collect();
                put(&mut input, &parts, value)?;
            }
        }
    }
    match operation {
        Some(operation) => Ok((operation, input)),
        None => Err(AwsError::new("MissingAction", 400, "there is no Action")),
    }
}

fn put(at: &mut Value, parts: &[&str], text: String) -> Result<(), AwsError> {
    let Some((part, rest)) = parts.split_first() else {
        *at = Value::from(text);
        return Ok(());
    };
    let next = match part.parse::<usize>() {
        Ok(position @ 1..=LONGEST) => {
            if !at.is_array() {
                *at = Value::Array(Vec::new());
            }
            let Value::Array(items) = at else { return Ok(()) };
            while items.len() < position {
                items.push(Value::Null);
            }
            items.get_mut(position - 1)
        }
        Ok(_) => return Err(AwsError::new("MalformedQueryString", 400, "a list is longer than this server takes")),
        Err(_) => {
            if !at.is_object() {
                *at = Value::Object(Map::new());
            }
            let Value::Object(members) = at else { return Ok(()) };
            Some(members.entry(*part).or_insert(Value::Null))
        }
    };
    next.map_or(Ok(()), |next| put(next, rest, text))
}

/// Members as elements: lists are of `member` elements.
pub(super) fn element(value: &Value) -> Element {
    named("", value)
}

fn named(name: &str, value: &Value) -> Element {
    match value {
        Value::Object(members) => {
            Element::new(name.to_owned()).children(members.iter().map(|(name, value)| named(name, value)))
        }
        Value::Array(items) => Element::new(name.to_owned()).children(items.iter().map(|item| named("member", item))),
        Value::String(text) => Element::text(name.to_owned(), text.as_str()),
        Value::Null => Element::new(name.to_owned()),
        other => Element::text(name.to_owned(), other.to_string()),
    }
}

/// The members, in the result element of the operation.
pub(super) fn write(operation: &str, id: &str, result: Element) -> Reply {
    let root = Element::new(format!("{operation}Response"))
        .attribute("xmlns", "https://sts.amazonaws.com/doc/2011-06-15/")
        .child(result.renamed(format!("{operation}Result")))
        .child(Element::new("ResponseMetadata").with("RequestId", id));
    xml_reply(200, xml::document(&root))
}

/// The members, right below the response.
pub(super) fn write_ec2(operation: &str, id: &str, result: Element) -> Reply {
    let root = result
        .renamed(format!("{operation}Response"))
        .attribute("xmlns", "http://ec2.amazonaws.com/doc/2016-11-15/")
        .with("requestId", id);
    xml_reply(200, xml::document(&root))
}

pub(super) fn failure(id: &str, error: &AwsError) -> String {
    let kind = if error.status < 500 { "Sender" } else { "Receiver" };
    let inner = Element::new("Error")
        .with("Type", kind)
        .with("Code", error.code.as_str())
        .with("Message", error.message.as_str());
    let root = Element::new("ErrorResponse")
        .attribute("xmlns", "https://sts.amazonaws.com/doc/2011-06-15/")
        .child(inner)
        .with("RequestId", id);
    xml::document(&root)
}

pub(super) fn failure_ec2(id: &str, error: &AwsError) -> String {
    let inner = Element::new("Error").with("Code", error.code.as_str()).with("Message", error.message.as_str());
    let root = Element::new("Response").child(Element::new("Errors").child(inner)).with("RequestID", id);
    xml::document(&root)
}
