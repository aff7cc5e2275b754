//! From a `given` block of a case to facts of the kind's type.
//!
//! An omitted nullable field is null, an omitted list empty, an omitted required field an error; `unknown:`, in any
//! record, marks fields as unread.

use std::ops::Range;

use super::diagnostic::suggest;
use super::expr::REQUIREMENTS;
use super::reader::Reader;
use super::yaml::{Entry, Node, Yaml};
use crate::config::Requirements;
use crate::finding::Source;
use crate::model::observed::{Unknown, Why};
use crate::model::time::{Moment, Timestamp};
use crate::model::value::{Field, Judged, Type, Value};
use crate::relate::kinds::{AccountView, Kind};

/// 2026-01-01T00:00:00Z, the moment all facts of a case were read.
pub(super) const READ: i64 = 1_767_225_600;

/// Fields that only say which resource it is; a case need not name it.
pub(super) const IDENTITY: [&str; 4] = ["id", "name", "region", "source"];

/// The reasons `unknown:` may give, as written.
pub(super) const REASONS: [(&str, Why); 16] = [
    ("denied", Why::Denied),
    ("denied_by_scp", Why::DeniedByScp),
    ("throttled", Why::Throttled),
    ("timed_out", Why::TimedOut),
    ("region_disabled", Why::RegionDisabled),
    ("not_subscribed", Why::NotSubscribed),
    ("service_absent", Why::ServiceAbsent),
    ("malformed", Why::Malformed),
    ("vanished", Why::Vanished),
    ("not_collected", Why::NotCollected),
    ("run_ended", Why::RunEnded),
    ("foreign", Why::Foreign),
    ("not_entered", Why::NotEntered),
    ("capped", Why::Capped),
    ("undecidable", Why::Undecidable),
    ("failed", Why::Failed),
];

/// The resource of a case.
pub(super) fn resource(reader: &mut Reader<'_>, node: &Node, kind: &Kind, source: Source) -> Option<Value> {
    let Type::Record(fields) = (kind.ty)() else { return None };
    let identity = |name: &str| match name {
        "region" => "eu-west-1".to_owned(),
        "source" => source.id().to_owned(),
        "id" if kind.name == "account" => "111122223333".to_owned(),
        _ => "example".to_owned(),
    };
    let defaults = fields.iter().filter(|field| IDENTITY.contains(&field.name) && field.ty == Type::Text);
    let defaults = defaults.map(|field| (field.name, Value::Text(identity(field.name)))).collect();
    let entries = reader.entries(node);
    let place = Place { what: kind.name.to_owned(), span: node.span.clone(), defaults };
    record(reader, entries, &fields, &place, Vec::new())
}

/// `account` of a case: the resource itself for checks of accounts, else an account that runs AI, with what the case
/// says instead.
pub(super) fn account(reader: &mut Reader<'_>, node: Option<&Node>, own: Option<&Value>) -> Option<Value> {
    let usual = AccountView { id: "111122223333".into(), name: None, has_ai: Ok(true) }.value();
    let Value::Record(usual) = own.unwrap_or(&usual).clone() else { return None };
    let Some(node) = node else { return Some(Value::Record(usual)) };
    let Type::Record(fields) = AccountView::ty() else { return None };
    let defaults = fields.iter().filter_map(|field| Some((field.name, usual.get(field.name)?.clone()))).collect();
    let place = Place { what: "account".to_owned(), span: node.span.clone(), defaults };
    let entries = reader.entries(node);
    record(reader, entries, &fields, &place, Vec::new())
}

/// `requirements` of a case: the defaults, with what the case says instead.
pub(super) fn requirements(reader: &mut Reader<'_>, node: Option<&Node>) -> Option<Requirements> {
    let mut values = Requirements::default().by_name();
    let Type::Record(fields) = &*REQUIREMENTS else { return None };
    let mut fine = true;
    for entry in node.map(|node| reader.entries(node)).unwrap_or_default() {
        match (values.get_mut(&entry.key), &entry.value.yaml) {
            (Some(value), Yaml::Int(n)) => *value = *n,
            (Some(_), _) => {
                reader.error(entry.value.span.clone(), format!("expected int, not a {}", entry.value.word()));
                fine = false;
            }
            (None, _) => {
                unknown_field(reader, entry.key_span.clone(), "requirements", &entry.key, fields);
                fine = false;
            }
        }
    }
    if !fine {
        return None;
    }
    let json = serde_json::to_value(values).ok()?;
    match serde_json::from_value(json) {
        Ok(requirements) => Some(requirements),
        Err(error) => panic!("internal error: requirements do not read back what they name: {error}"),
    }
}

/// Where a record stands: how to call it, what to point at, what it holds when nothing is said.
struct Place {
    what: String,
    span: Range<usize>,
    defaults: Vec<(&'static str, Value)>,
}

/// A mark of `unknown:`, the rest of its path, and where it is written.
#[derive(Clone)]
struct Mark {
    path: Vec<String>,
    why: Why,
    span: Range<usize>,
}

fn record(
    reader: &mut Reader<'_>,
    entries: &[Entry],
    fields: &[Field],
    place: &Place,
    mut marks: Vec<Mark>,
) -> Option<Value> {
    let mut fine = true;
    for entry in entries {
        if entry.key == "unknown" {
            fine &= read_marks(reader, &entry.value, Vec::new(), &mut marks);
        } else if !fields.iter().any(|field| field.name == entry.key) {
            unknown_field(reader, entry.key_span.clone(), &place.what, &entry.key, fields);
            fine = false;
        }
    }
    for mark in marks.iter().filter(|mark| !fields.iter().any(|field| field.name == mark.path[0])) {
        unknown_field(reader, mark.span.clone(), &place.what, &mark.path[0], fields);
        fine = false;
    }
    let mut values = std::collections::BTreeMap::new();
    for field in fields {
        let given = entries.iter().find(|entry| entry.key == field.name);
        let marks: Vec<Mark> = marks.iter().filter(|mark| mark.path[0] == field.name).cloned().collect();
        match one(reader, field, given, place, marks) {
            Some(value) => _ = values.insert(field.name.to_owned(), value),
            None => fine = false,
        }
    }
    fine.then_some(Value::Record(values))
}

fn one(
    reader: &mut Reader<'_>,
    field: &Field,
    given: Option<&Entry>,
    place: &Place,
    marks: Vec<Mark>,
) -> Option<Value> {
    if let Some(mark) = marks.iter().find(|mark| mark.path.len() == 1) {
        if let Some(entry) = given {
            let message = format!("`{}` is given and unknown at once", field.name);
            reader.error(entry.key_span.clone(), message);
            return None;
        }
        return Some(Value::Unknown(Unknown::new("", mark.why)));
    }
    let what = format!("{}.{}", place.what, field.name);
    let deeper: Vec<Mark> = marks.into_iter().map(|mark| Mark { path: mark.path[1..].to_vec(), ..mark }).collect();
    if let Some(mark) = deeper.first() {
        let inner = match &field.ty {
            Type::Nullable(inner) => inner.as_ref(),
            ty => ty,
        };
        let entries = match given.map(|entry| &entry.value.yaml) {
            Some(Yaml::Map(entries)) => entries.as_slice(),
            _ => &[],
        };
        let Type::Record(fields) = inner else {
            let message =
                format!("`{what}` is {}: it has no parts to mark; write `unknown` in its items", field.ty.word());
            reader.error(mark.span.clone(), message);
            return None;
        };
        let span = given.map_or(mark.span.clone(), |entry| entry.key_span.clone());
        return record(reader, entries, fields, &Place { what, span, defaults: Vec::new() }, deeper);
    }
    if let Some(entry) = given {
        return value(reader, &entry.value, &field.ty, &what, &entry.key_span);
    }
    match &field.ty {
        _ if place.defaults.iter().any(|(name, _)| *name == field.name) => {
            place.defaults.iter().find(|(name, _)| *name == field.name).map(|(_, value)| value.clone())
        }
        Type::Nullable(_) => Some(Value::Null),
        Type::List(_) => Some(Value::List(Vec::new())),
        ty => {
            let message = format!("`{what}` is required: give a {}, or name it under `unknown`", ty.word());
            reader.error(place.span.clone(), message);
            None
        }
    }
}

fn value(reader: &mut Reader<'_>, node: &Node, ty: &Type, what: &str, key: &Range<usize>) -> Option<Value> {
    let source = &reader.file.text;
    match (ty, &node.yaml) {
        (Type::Nullable(_), Yaml::Null) => Some(Value::Null),
        (Type::Nullable(inner), _) => value(reader, node, inner, what, key),
        (Type::Bool, Yaml::Bool(b)) => Some(Value::Bool(*b)),
        (Type::Int, Yaml::Int(n)) => Some(Value::Int(*n)),
        // A quoted number is text; an unquoted one is too where text is asked, as written.
        (Type::Text, Yaml::Text(_) | Yaml::Int(_) | Yaml::Number) => {
            node.text(source).map(|text| Value::Text(text.to_owned()))
        }
        (Type::Time, _) => time(reader, node),
        (Type::List(item), Yaml::List(nodes)) => {
            let items: Vec<Option<Value>> = nodes
                .iter()
                .enumerate()
                .map(|(at, node)| value(reader, node, item, &format!("{what}[{at}]"), &node.span))
                .collect();
            items.into_iter().collect::<Option<_>>().map(Value::List)
        }
        (Type::Record(fields), Yaml::Map(entries)) => {
            let span = entries.first().map_or(key.clone(), |entry| entry.key_span.clone());
            let place = Place { what: what.to_owned(), span, defaults: Vec::new() };
            record(reader, entries, fields, &place, Vec::new())
        }
        _ => {
            let span = if node.span.is_empty() { key.clone() } else { node.span.clone() };
            let error = reader.error(span, format!("`{what}` is {}, not a {}", ty.word(), node.word()));
            if matches!(node.yaml, Yaml::Null) {
                error.help = Some("what could not be read goes under `unknown`".to_owned());
            }
            None
        }
    }
}

/// RFC 3339, or how long before the reading: `{age_hours: 3}`, `{age_days: 3}`.
fn time(reader: &mut Reader<'_>, node: &Node) -> Option<Value> {
    let read = Timestamp::from_unix(READ);
    let at = match &node.yaml {
        Yaml::Text(text) => match Timestamp::parse(text) {
            Ok(at) => Some(at),
            Err(message) => {
                reader.error(node.span.clone(), message);
                return None;
            }
        },
        Yaml::Map(entries) => match entries.as_slice() {
            [Entry { key, value: Node { yaml: Yaml::Int(n), .. }, .. }] => match key.as_str() {
                "age_hours" => Some(READ.saturating_sub(n.saturating_mul(3600))),
                "age_days" => Some(READ.saturating_sub(n.saturating_mul(86400))),
                _ => None,
            }
            .map(Timestamp::from_unix),
            _ => None,
        },
        _ => None,
    };
    if at.is_none() {
        let message = "a time is written `2025-12-31T12:00:00Z`, `{age_hours: 3}` or `{age_days: 3}`";
        reader.error(node.span.clone(), message);
    }
    at.map(|at| Value::Time(Moment { at, read }))
}

/// `{a.b: denied}` or `{a: {b: denied}}`.
fn read_marks(reader: &mut Reader<'_>, node: &Node, above: Vec<String>, marks: &mut Vec<Mark>) -> bool {
    let before = reader.diagnostics.len();
    for entry in reader.entries(node) {
        let mut path = above.clone();
        path.extend(entry.key.split('.').map(str::to_owned));
        if matches!(entry.value.yaml, Yaml::Map(_)) {
            read_marks(reader, &entry.value, path, marks);
        } else {
            // A faulty reason has been told; the field counts as marked all the same, so that it is not missed too.
            let why = reader.word(&entry.value, "reason", &REASONS).unwrap_or(Why::Failed);
            marks.push(Mark { path, why, span: entry.key_span.clone() });
        }
    }
    reader.diagnostics.len() == before
}

fn unknown_field(reader: &mut Reader<'_>, span: Range<usize>, what: &str, name: &str, fields: &[Field]) {
    let names: Vec<&str> = fields.iter().map(|field| field.name).collect();
    let error = reader.error(span, format!("`{what}` has no field `{name}`"));
    error.label = Some("unknown field".to_owned());
    error.help = suggest(name, names.iter().copied()).or_else(|| Some(format!("fields: {}", names.join(", "))));
}
