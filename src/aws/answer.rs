//! Whether an answer holds what it must: the SDK's codecs take much for whole that is not.
//!
//! What a failed call means is in `classify`.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::inventory::operations::Operation;

/// An answer that the SDK would take for a whole one.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Incomplete {
    /// A member it must have is not there; the SDK would read it as an empty list.
    #[error("the answer lacks {0}")]
    Lacks(String),
    /// The SDK reads XML as far as it goes, and what is behind as absent; or the connection ended before the body did.
    #[error("the answer breaks off")]
    BrokenOff,
    /// The kind of error stands in a header of an answer that says it is none.
    #[error("the answer is an error, {0}, with the status of a success")]
    Refused(String),
}

/// Holds an answer that was read against the table of operations.
pub(crate) fn check(operation: &Operation, response: &HttpResponse) -> Result<(), Incomplete> {
    // Every listed operation answers with a document; the SDK would read no bytes at all as one without members.
    let body = response.body().bytes().unwrap_or(&[]);
    if body.is_empty() {
        return Err(Incomplete::Lacks("its body".to_owned()));
    }
    if !is_whole(operation.service, body) {
        return Err(Incomplete::BrokenOff);
    }
    if let Some(kind) = response.headers().get("x-amzn-errortype") {
        return Err(Incomplete::Refused(kind.to_owned()));
    }
    if operation.required.is_empty() {
        return Ok(());
    }
    let content_type = response.headers().get("content-type").unwrap_or("");
    let missing = missing(operation.required, content_type, body);
    if missing.is_empty() { Ok(()) } else { Err(Incomplete::Lacks(missing.join(", "))) }
}

/// Which required members the body of an answer lacks, in the protocol its content type or first byte shows.
fn missing(required: &[&'static str], content_type: &str, body: &[u8]) -> Vec<&'static str> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    let present: Vec<bool> = if content_type.contains("cbor") {
        match ciborium::from_reader::<Members<String>, _>(body) {
            Ok(Members(names)) => required.iter().map(|name| is_among(&names, name)).collect(),
            Err(_) => required.iter().map(|_| false).collect(),
        }
    } else if first == Some(&b'<') {
        required.iter().map(|name| has_element(body, name)).collect()
    } else {
        match serde_json::from_slice::<Members<Name>>(body) {
            Ok(Members(names)) => required.iter().map(|name| is_among(&names, name)).collect(),
            Err(_) => required.iter().map(|_| false).collect(),
        }
    };
    required.iter().zip(present).filter(|(_, present)| !present).map(|(name, _)| name.trim_start_matches('?')).collect()
}

/// Whether a required member is among the names of an answer's, or need not be.
fn is_among<N: AsRef<str>>(names: &[N], required: &str) -> bool {
    let there = |name: &str| names.iter().any(|known| known.as_ref() == name);
    match required.strip_prefix('?') {
        Some(name) => names.is_empty() || there(name),
        None => there(required),
    }
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
struct Members<N>(Vec<N>);

/// A name that is not copied, where the format allows.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl AsRef<str> for Name<'_> {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

impl<'de, N: Deserialize<'de>> Deserialize<'de> for Members<N> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names<N>(PhantomData<N>);

        impl<'de, N: Deserialize<'de>> Visitor<'de> for Names<N> {
            type Value = Members<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<N>, A::Error> {
                let mut names = Vec::new();
                while let Some((name, value)) = map.next_entry::<N, Option<IgnoredAny>>()? {
                    if value.is_some() {
                        names.push(name);
                    }
                }
                Ok(Members(names))
            }
        }

        deserializer.deserialize_map(Names(PhantomData))
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
