//! A YAML document as a tree whose every node knows where it stands, so that all problems of a file can be told at
//! once, each with its place. What a document may say is `raw`'s business.

use std::fmt;

use serde::Deserialize;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// Where something stands: line and column from 1, and its bytes in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub line: u64,
    pub column: u64,
    /// Byte offset and length; none when the parser cannot tell.
    bytes: Option<(usize, usize)>,
}

/// A node and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    /// In the order written; the parser refuses a key that comes twice.
    Map(Vec<(Node, Node)>),
}

impl Value {
    /// For messages: what stands there instead of what should.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a boolean",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Map(_) => "a mapping",
        }
    }
}

impl Node {
    /// The characters that stand at the node, quotes included.
    pub(super) fn written<'a>(&self, text: &'a str) -> Option<&'a str> {
        let (from, len) = self.place.bytes?;
        text.get(from..from.checked_add(len)?).map(str::trim_end)
    }
}

/// Parses one document. An empty one is [`Value::Null`].
///
/// # Errors
/// Text that is not YAML, a key that comes twice, more aliases than a document of this size needs: the message and,
/// where the parser tells, line and column.
pub(super) fn parse(text: &str) -> Result<Node, (String, Place)> {
    // YAML 1.2 booleans: a role or ticket called `no` stays text.
    let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
    serde_saphyr::from_str_with_options::<Option<Spanned<Value>>>(text, options)
        .map(|node| node.map_or(Node { place: START, value: Value::Null }, node_of))
        .map_err(|error| {
            let place = error.location().as_ref().map_or(START, place_of);
            (message_of(error.without_snippet()), place)
        })
}

const START: Place = Place { line: 1, column: 1, bytes: None };

/// The parser's message without the place, which is shown already, and without advice to its caller.
fn message_of(error: &serde_saphyr::Error) -> String {
    use serde_saphyr::Error;
    match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => format!("`{key}` is written twice"),
        Error::MultipleDocuments { .. } => "a second YAML document begins here; the file holds one".to_owned(),
        Error::Budget { .. } => "the document is too large, or its aliases multiply into one that is".to_owned(),
        Error::NonFiniteFloat { .. } => "this is not a finite number".to_owned(),
        other => {
            let message = other.to_string();
            let message = message.strip_prefix("error: ").unwrap_or(&message);
            let first = message.lines().next().unwrap_or(message);
            let first = first.split_once(": ").filter(|(at, _)| at.starts_with("line ")).map_or(first, |(_, it)| it);
            first.split(" at line ").next().unwrap_or(first).trim_end_matches('.').to_owned()
        }
    }
}

fn place_of(location: &Location) -> Place {
    let span = location.span();
    let bytes = span.byte_offset().zip(span.byte_len());
    Place {
        line: location.line(),
        column: location.column(),
        bytes: bytes.and_then(|(from, len)| Some((usize::try_from(from).ok()?, usize::try_from(len).ok()?))),
    }
}

fn node_of(spanned: Spanned<Value>) -> Node {
    // Where an alias is used says nothing about how its value is written.
    Node { place: place_of(&spanned.defined), value: spanned.value }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyNode)
    }
}

struct AnyNode;

impl<'de> Visitor<'de> for AnyNode {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        // Beyond i64 no bound of ours holds; as a float it is refused by every one of them.
        Ok(i64::try_from(value).map_or(Value::Float(value as f64), Value::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Value>>()? {
            list.push(node_of(item));
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Vec::new();
        while let Some((key, value)) = entries.next_entry::<Spanned<Value>, Spanned<Value>>()? {
            map.push((node_of(key), node_of(value)));
        }
        Ok(Value::Map(map))
    }
}
