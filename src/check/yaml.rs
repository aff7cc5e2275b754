//! YAML as a tree in which every key and value knows its place, so that a reader can go on after the first fault.
//!
//! What the keys mean is not known here.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// No check needs more; aliases that multiply are stopped here.
const MAX_NODES: usize = 20_000;

/// A value and the bytes it stands at; for maps and lists, where they begin.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) yaml: Yaml,
    pub(super) span: Range<usize>,
}

#[derive(Clone, Debug)]
pub(super) enum Yaml {
    Null,
    Bool(bool),
    Int(i64),
    /// A number that is no 64-bit integer.
    Number,
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_span: Range<usize>,
    pub(super) value: Node,
}

/// Parses one document. Faults of YAML itself end the reading, so there is one at most.
pub(super) fn parse(text: &str) -> Result<Node, (Range<usize>, String)> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_nodes: MAX_NODES },
    };
    serde_saphyr::from_str_with_options::<Node>(text, options).map_err(|error| {
        let plain = error.without_snippet();
        let at = plain.location().map_or(0..0, |location| bytes(text, &location));
        let message = plain.to_string();
        let message = match message.find(" at line ") {
            Some(end) => message[..end].to_owned(),
            None => message,
        };
        (at, explain(&message))
    })
}

impl Node {
    pub(super) fn word(&self) -> &'static str {
        match self.yaml {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "bool",
            Yaml::Int(_) | Yaml::Number => "number",
            Yaml::Text(_) => "string",
            Yaml::List(_) => "list",
            Yaml::Map(_) => "mapping",
        }
    }

    /// The text of a scalar; `no`, `012` and the like are read as they are written.
    pub(super) fn text<'n>(&'n self, source: &'n str) -> Option<&'n str> {
        match &self.yaml {
            Yaml::Text(text) => Some(text),
            Yaml::Bool(_) | Yaml::Int(_) | Yaml::Number => source.get(self.span.clone()),
            Yaml::Null | Yaml::List(_) | Yaml::Map(_) => None,
        }
    }
}

/// Where a byte range of a scalar's value stands in the source: block scalars lose their indentation, folded ones
/// their line ends, quoted ones their escapes.
pub(super) fn place(source: &str, scalar: &Range<usize>, value: &str, part: Range<usize>) -> Range<usize> {
    let raw = source.get(scalar.clone()).unwrap_or_default();
    let Some(positions) = align(value, raw, None).or_else(|| match raw.chars().next() {
        Some(quote @ ('\'' | '"')) => align(value, raw, Some(quote)),
        _ => None,
    }) else {
        return scalar.clone();
    };
    let at = |byte: usize| scalar.start + positions.get(byte).copied().unwrap_or(raw.len());
    // The end is one past the last character, not the start of the next: between the two may lie an indentation.
    let start = at(part.start);
    let end = match value.get(..part.end).and_then(|head| head.chars().next_back()) {
        Some(last) if part.end > part.start => {
            let last_at = at(part.end - last.len_utf8());
            last_at + source.get(last_at..).and_then(|s| s.chars().next()).map_or(0, char::len_utf8)
        }
        _ => start,
    };
    start..end.max(start)
}

/// For each byte of the value and its end, the byte of the raw scalar; none if they do not correspond.
fn align(value: &str, raw: &str, quote: Option<char>) -> Option<Vec<usize>> {
    let mut positions = Vec::with_capacity(value.len() + 1);
    let mut at = quote.map_or(0, char::len_utf8);
    for c in value.chars() {
        if quote == Some('"') && raw[at..].starts_with('\\') && !raw[at..].starts_with("\\\n") {
            positions.extend(std::iter::repeat_n(at, c.len_utf8()));
            at += escape_length(&raw[at..])?;
            continue;
        }
        if c.is_whitespace() {
            positions.extend(std::iter::repeat_n(at, c.len_utf8()));
            // A line end may have swallowed or added space; the next visible character finds its place again.
            if raw[at..].starts_with(c) {
                at += c.len_utf8();
            }
            continue;
        }
        at = visible(raw, at, quote);
        let rest = &raw[at..];
        positions.extend(std::iter::repeat_n(at, c.len_utf8()));
        if quote == Some('"') && rest.starts_with('\\') {
            at += escape_length(rest)?;
        } else if quote == Some('\'') && c == '\'' && rest.starts_with("''") {
            at += 2;
        } else if rest.starts_with(c) {
            at += c.len_utf8();
        } else {
            return None;
        }
    }
    positions.push(at);
    Some(positions)
}

/// The next byte that is not space, an escaped line end counting as space.
fn visible(raw: &str, mut at: usize, quote: Option<char>) -> usize {
    loop {
        let rest = &raw[at..];
        at += rest.len() - rest.trim_start().len();
        if quote == Some('"') && raw[at..].starts_with("\\\n") {
            at += 2;
        } else {
            return at;
        }
    }
}

fn escape_length(rest: &str) -> Option<usize> {
    let escaped = rest[1..].chars().next()?;
    let digits = match escaped {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => 0,
    };
    Some((1 + escaped.len_utf8() + digits).min(rest.len()))
}

fn bytes(text: &str, location: &Location) -> Range<usize> {
    if let (Some(start), Some(length)) = (location.span().byte_offset(), location.span().byte_len()) {
        return start as usize..(start + length) as usize;
    }
    let (line, column) = (location.line() as usize, location.column() as usize);
    let start: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
    let rest = text.get(start..).unwrap_or_default();
    let at = start + rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(at, _)| at);
    at..at
}

fn explain(message: &str) -> String {
    if message.starts_with("budget breached") {
        return "file is too large or multiplies aliases".to_owned();
    }
    if message.starts_with("multiple YAML documents") {
        return "a file holds one document".to_owned();
    }
    match message.find(", set DuplicateKeyPolicy") {
        Some(end) => message[..end].to_owned(),
        None => format!("not YAML: {message}"),
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Yaml>::deserialize(deserializer)?;
        Ok(Self { yaml: spanned.value, span: span(&spanned.defined) })
    }
}

fn span(location: &Location) -> Range<usize> {
    let start = location.span().byte_offset().unwrap_or_default() as usize;
    start..start + location.span().byte_len().unwrap_or_default() as usize
}

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(YamlVisitor)
    }
}

struct YamlVisitor;

impl<'de> Visitor<'de> for YamlVisitor {
    type Value = Yaml;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_none<E>(self) -> Result<Yaml, E> {
        Ok(Yaml::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Yaml, D::Error> {
        Yaml::deserialize(deserializer)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Yaml, E> {
        Ok(Yaml::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Yaml, E> {
        Ok(Yaml::Int(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Yaml, E> {
        Ok(i64::try_from(n).map_or(Yaml::Number, Yaml::Int))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Yaml, E> {
        Ok(Yaml::Number)
    }

    fn visit_str<E>(self, text: &str) -> Result<Yaml, E> {
        Ok(Yaml::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Yaml, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Yaml::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Yaml, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let key_span = span(&key.defined);
            map.push(Entry { key: key.value, key_span, value: entries.next_value()? });
        }
        Ok(Yaml::Map(map))
    }
}
