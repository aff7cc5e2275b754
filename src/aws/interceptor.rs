//! What stands between the collectors and the network: refuses what is not on the allow-list, checks that answers
//! hold what they must, signs the body's digest, counts.
//!
//! What a failed call means is in `classify`.

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextRef,
    BeforeSerializationInterceptorContextRef, BeforeTransmitInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::{ConfigBag, Storable, StoreReplace};
use aws_smithy_types::date_time::{DateTime, Format};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::aws::classify;
use crate::aws::ledger::{Event, Ledger};
use crate::inventory::operations::{OPERATIONS, Operation};
use crate::model::hash::sha256;

/// The interceptor every client carries.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    ledger: Arc<Ledger>,
}

/// An operation that is not on the allow-list was about to be called.
#[derive(Debug, thiserror::Error)]
#[error("{service}:{operation} is not on locard's list of read-only operations; refused before anything was sent")]
pub(crate) struct Refused {
    service: String,
    operation: String,
}

/// An answer that the SDK would take for a whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomplete {
    /// A member it must have is not there; the SDK would read it as an empty list.
    #[error("the answer lacks {0}")]
    Lacks(String),
    /// The SDK reads XML as far as it goes, and what is behind as absent.
    #[error("the answer breaks off")]
    BrokenOff,
}

impl Guard {
    pub(crate) fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }
}

#[dyn_dispatch_hint]
impl Intercept for Guard {
    fn name(&self) -> &'static str {
        "locard guard"
    }

    /// Before a request even exists.
    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let listed = look_up(config)?;
        config.interceptor_state().store_put(Listed(listed));
        Ok(())
    }

    /// Signs the digest of the body into every request, as S3 demands and others accept; some servers that verify
    /// signatures take a request without body for unsigned otherwise.
    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // The signer adds the header itself for S3.
        if listed(config)?.service == "s3" {
            return Ok(());
        }
        let request = context.request_mut();
        // None of the listed operations streams its request.
        let digest = request.body().bytes().map(sha256);
        if let Some(digest) = digest {
            request.headers_mut().insert("x-amz-content-sha256", digest);
        }
        Ok(())
    }

    /// The last place from which a request can be held back.
    fn read_before_transmit(
        &self,
        _context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.ledger.count(listed(config)?, Event::Attempt);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if self.ledger.clock_skew_seconds().is_none()
            && let Some(date) = context.response().headers().get("date")
            && let Ok(theirs) = DateTime::from_str(date, Format::HttpDate)
        {
            self.ledger.note_skew(DateTime::from(SystemTime::now()).secs() - theirs.secs());
        }
        Ok(())
    }

    /// The body is in memory only now; before the output goes to the collector it is held against the table.
    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let operation = listed(config)?;
        let response = context.response();
        let body = response.body().bytes();
        if context.output_or_error().is_err() {
            if classify::throttles(response.status().as_u16(), body.unwrap_or(&[])) {
                self.ledger.count(operation, Event::Throttle);
            }
            return Ok(());
        }
        // Every listed operation answers with a document; the SDK would read no bytes at all as one without members.
        if body.is_some_and(<[u8]>::is_empty) {
            return Err(Box::new(Incomplete::Lacks("its body".to_owned())));
        }
        if body.is_some_and(|body| !is_whole(operation.service, body)) {
            return Err(Box::new(Incomplete::BrokenOff));
        }
        if operation.required.is_empty() {
            return Ok(());
        }
        let content_type = response.headers().get("content-type").unwrap_or("");
        match body.map(|body| missing(operation.required, content_type, body)) {
            Some(missing) if missing.is_empty() => Ok(()),
            Some(missing) => Err(Box::new(Incomplete::Lacks(missing.join(", ")))),
            None => Err(Box::new(Incomplete::Lacks("its body".to_owned()))),
        }
    }
}

/// The operation at hand, once it was found on the allow-list.
#[derive(Clone, Copy, Debug)]
struct Listed(&'static Operation);

impl Storable for Listed {
    type Storer = StoreReplace<Self>;
}

/// The operation at hand; an error if it is not on the allow-list.
fn listed(config: &ConfigBag) -> Result<&'static Operation, Refused> {
    config.load::<Listed>().map_or_else(|| look_up(config), |listed| Ok(listed.0))
}

fn look_up(config: &ConfigBag) -> Result<&'static Operation, Refused> {
    let (service, operation) =
        config.load::<Metadata>().map_or(("an unnamed service", "unnamed"), |data| (data.service(), data.name()));
    let word = service_word(service);
    OPERATIONS
        .iter()
        .find(|listed| Some(listed.service) == word && listed.name == operation)
        .ok_or_else(|| Refused { service: word.unwrap_or(service).to_owned(), operation: operation.to_owned() })
}

/// What the table of operations calls a service that the SDK calls by its service id.
fn service_word(id: &str) -> Option<&'static str> {
    Some(match id {
        "STS" => "sts",
        "Organizations" => "organizations",
        "SageMaker" => "sagemaker",
        "Bedrock" => "bedrock",
        "Bedrock Agent" => "bedrock-agent",
        "EC2" => "ec2",
        "CloudTrail" => "cloudtrail",
        "CloudWatch" => "cloudwatch",
        "CloudWatch Logs" => "logs",
        "KMS" => "kms",
        "S3" => "s3",
        _ => return None,
    })
}

/// Which required members the body of an answer lacks, in the protocol its content type or first byte shows.
fn missing(required: &[&'static str], content_type: &str, body: &[u8]) -> Vec<&'static str> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let present: Vec<bool> = if content_type.contains("cbor") {
        match ciborium::from_reader::<Members, _>(body) {
            Ok(Members(names)) => required.iter().map(|name| names.iter().any(|n| n == name)).collect(),
            Err(_) => required.iter().map(|_| false).collect(),
        }
    } else if first == Some(&b'<') {
        required.iter().map(|name| has_element(body, name)).collect()
    } else {
        match serde_json::from_slice::<Members>(body) {
            Ok(Members(names)) => required.iter().map(|name| names.iter().any(|n| n == name)).collect(),
            Err(_) => required.iter().map(|_| false).collect(),
        }
    };
    required.iter().zip(present).filter(|(_, present)| !present).map(|(name, _)| *name).collect()
}

/// Whether a body that the SDK does not read to its end has one: an XML document, or the policy of a bucket, which is
/// handed on as it is.
fn is_whole(service: &str, body: &[u8]) -> bool {
    let body = body.trim_ascii();
    match body.first() {
        Some(b'<') => is_closed(body),
        Some(b'{') if service == "s3" => serde_json::from_slice::<IgnoredAny>(body).is_ok(),
        _ => true,
    }
}

/// Whether the last tag of an XML text closes the first.
fn is_closed(xml: &[u8]) -> bool {
    let is_name = |byte: &u8| byte.is_ascii_alphabetic() || *byte == b'_';
    let Some(start) = xml.windows(2).position(|two| two[0] == b'<' && is_name(&two[1])) else { return false };
    let root = xml.get(start + 1..).unwrap_or(&[]);
    let end = root.iter().position(|b| matches!(b, b'>' | b'/') || b.is_ascii_whitespace()).unwrap_or(root.len());
    let (name, rest) = root.split_at(end);
    let before = xml.strip_suffix(b">").and_then(|xml| xml.strip_suffix(name));
    before.is_some_and(|before| before.ends_with(b"</")) || (xml.ends_with(b"/>") && !rest.contains(&b'<'))
}

/// Names of the members of an object, those that are null left out; values are skipped, not kept.
struct Members(Vec<String>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names;

        impl<'de> Visitor<'de> for Names {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut names = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Option<IgnoredAny>>()? {
                    if value.is_some() {
                        names.push(name);
                    }
                }
                Ok(Members(names))
            }
        }

        deserializer.deserialize_map(Names)
    }
}

/// Whether an XML text has an element of this name anywhere, empty or not, with or without a namespace prefix.
fn has_element(xml: &[u8], name: &str) -> bool {
    xml.split(|byte| *byte == b'<').skip(1).any(|tag| {
        let end = tag.iter().position(|b| matches!(b, b'>' | b'/') || b.is_ascii_whitespace());
        let Some(full) = end.and_then(|end| tag.get(..end)) else { return false };
        let local = full.rsplit(|byte| *byte == b':').next();
        local == Some(name.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breaks_off_is_seen() {
        let whole = [
            "<?xml version=\"1.0\"?>\n<A xmlns=\"x\"><B><C/></B></A>\n",
            "<A><B/></A>",
            "<A/>",
            "<A xmlns=\"x/y\" />",
            "{\"Statement\": []}",
        ];
        for text in whole {
            assert!(is_whole("s3", text.as_bytes()), "{text}");
            for end in 1..text.trim_end().len() {
                let part = &text[..end];
                assert!(!is_whole("s3", part.as_bytes()) || part.trim().is_empty(), "{part}");
            }
        }
    }
}
