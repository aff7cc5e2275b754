//! What authors of checks need to know, generated: the JSON Schema of check files, and every kind with its fields.

use std::fmt::Write as _;

use serde_json::{Map, Value as Json, json};

use super::expr::REQUIREMENTS;
use super::given::REASONS;
use super::read::{DIMENSIONS, FIX_KEYS, KEYS, SEVERITIES, STATUSES};
use crate::finding::Source;
use crate::model::value::{Field, Judged, Type};
use crate::relate::kinds::{AccountView, KINDS, Kind};

/// The JSON Schema of a check file, for editors: keys, words, kinds, and the fields a `given` block may have.
pub fn check_schema() -> Json {
    let words = |words: Vec<&str>| json!({"enum": words});
    let text = json!({"type": "string", "minLength": 1});
    let expression = json!({"type": ["string", "boolean"], "description": "a CEL expression"});
    let message = json!({"type": "string", "description": "a message; ${resource.field} is filled in"});
    let fixes: Map<String, Json> = FIX_KEYS.iter().map(|key| ((*key).to_owned(), text.clone())).collect();
    let properties = json!({
        "id": {"type": "string", "pattern": "^[a-z][a-z0-9]*(-[a-z0-9]+)*$", "description": "names the gap; equals the file's stem"},
        "title": text,
        "severity": words(SEVERITIES.iter().map(|(word, _)| *word).collect()),
        "source": words(Source::ALL.iter().map(|source| source.id()).collect()),
        "dimension": words(DIMENSIONS.iter().map(|(word, _)| *word).collect()),
        "resource": {"oneOf": KINDS.iter().map(|kind| json!({"const": kind.name, "description": kind.doc})).collect::<Vec<_>>()},
        "applies": expression,
        "not_applicable": message,
        "criteria": {"type": "array", "minItems": 1, "items": object(json!({
            "points": {"type": "integer", "minimum": 0, "default": 0},
            "required": {"type": ["boolean", "string"], "default": true, "description": "whether it decides the status: a bool or a CEL expression; where the expression is false, its points are given"},
            "expect": expression,
            "gap": message,
        }), &["expect"])},
        "why": text,
        "fix": object(Json::Object(fixes), &[]),
        "frameworks": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": ["string", "number"]}}},
        "references": {"type": "array", "items": {"type": "string"}},
        "cases": {"type": "array", "items": case_schema()},
    });
    let required = ["id", "title", "severity", "source", "dimension", "resource", "criteria"];
    debug_assert!(KEYS.iter().all(|key| properties.get(key).is_some()), "internal error: the schema lacks a key");
    let mut schema = object(properties, &required);
    schema["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    schema["title"] = json!("locard check");
    schema["allOf"] = KINDS.iter().map(given_schema).collect();
    schema
}

/// Every kind, with the fields expressions can name, as JSON.
pub fn kinds_json() -> Json {
    let kinds: Vec<Json> = KINDS
        .iter()
        .map(|kind| {
            json!({
                "name": kind.name, "doc": kind.doc, "carrier": kind.carrier, "fields": fields_json(&(kind.ty)()),
            })
        })
        .collect();
    json!({
        "kinds": kinds,
        "account": fields_json(&AccountView::ty()),
        "requirements": fields_json(&REQUIREMENTS),
    })
}

/// The same for people.
pub fn kinds_markdown() -> String {
    let mut out = String::from("# What checks can look at\n");
    for kind in KINDS {
        let carrier = if kind.carrier { " A check sees the instance of its own source." } else { "" };
        section(
            &mut out,
            &format!("`resource` of kind `{}`", kind.name),
            &format!("{}{carrier}", kind.doc),
            &(kind.ty)(),
        );
    }
    section(&mut out, "`account`", "The account that owns the resource, in every check.", &AccountView::ty());
    section(&mut out, "`requirements`", "Thresholds of the configuration.", &REQUIREMENTS);
    out
}

fn section(out: &mut String, title: &str, doc: &str, ty: &Type) {
    // Writing to a string cannot fail.
    _ = write!(out, "\n## {title}\n\n{doc}\n\n| field | type | meaning |\n|---|---|---|\n");
    rows(out, "", ty);
}

fn rows(out: &mut String, prefix: &str, ty: &Type) {
    match ty {
        Type::Record(fields) => {
            for field in fields {
                let path = format!("{prefix}{}", field.name);
                _ = writeln!(out, "| `{path}` | {} | {} |", field.ty.word(), field.doc);
                rows(out, &format!("{path}."), &field.ty);
            }
        }
        Type::Nullable(inner) => rows(out, prefix, inner),
        Type::List(item) => rows(out, &format!("{}[].", prefix.trim_end_matches('.')), item),
        Type::Bool | Type::Int | Type::Text | Type::Time => {}
    }
}

fn fields_json(ty: &Type) -> Json {
    match ty {
        Type::Record(fields) => fields
            .iter()
            .map(|field| {
                let mut json = json!({"name": field.name, "type": field.ty.word(), "doc": field.doc});
                let inner = fields_json(&field.ty);
                if !inner.is_null() {
                    json["fields"] = inner;
                }
                json
            })
            .collect(),
        Type::Nullable(inner) | Type::List(inner) => fields_json(inner),
        Type::Bool | Type::Int | Type::Text | Type::Time => Json::Null,
    }
}

fn case_schema() -> Json {
    let points = json!({"oneOf": [
        {"type": "integer", "minimum": 0},
        {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 2, "maxItems": 2},
    ]});
    let statuses: Vec<&str> = STATUSES.iter().map(|(word, _)| *word).collect();
    let Type::Record(thresholds) = &*REQUIREMENTS else { return Json::Null };
    let thresholds: Map<String, Json> =
        thresholds.iter().map(|field| described(field, json!({"type": "integer"}))).collect();
    object(
        json!({
            "name": {"type": "string"},
            "given": {"type": "object"},
            "account": value_schema(&AccountView::ty()),
            "requirements": object(Json::Object(thresholds), &[]),
            "expect": object(json!({"status": {"enum": statuses}, "points": points}), &["status"]),
        }),
        &["name", "given", "expect"],
    )
}

/// What `given` may hold where `resource` is this kind.
fn given_schema(kind: &Kind) -> Json {
    let given = value_schema(&(kind.ty)());
    json!({
        "if": {"properties": {"resource": {"const": kind.name}}, "required": ["resource"]},
        "then": {"properties": {"cases": {"items": {"properties": {"given": given}}}}},
    })
}

/// A value as a case writes it. Required fields may be named under `unknown` instead, so none is demanded.
fn value_schema(ty: &Type) -> Json {
    match ty {
        Type::Bool => json!({"type": "boolean"}),
        Type::Int => json!({"type": "integer"}),
        Type::Text => json!({"type": ["string", "number"]}),
        Type::Time => json!({"oneOf": [
            {"type": "string", "format": "date-time"},
            object(json!({"age_hours": {"type": "integer"}}), &["age_hours"]),
            object(json!({"age_days": {"type": "integer"}}), &["age_days"]),
        ]}),
        Type::List(item) => json!({"type": "array", "items": value_schema(item)}),
        Type::Nullable(inner) => json!({"anyOf": [{"type": "null"}, value_schema(inner)]}),
        Type::Record(fields) => {
            let mut properties: Map<String, Json> =
                fields.iter().map(|field| described(field, value_schema(&field.ty))).collect();
            let reasons: Vec<&str> = REASONS.iter().map(|(word, _)| *word).collect();
            let reason = json!({"anyOf": [{"enum": reasons}, {"type": "object"}]});
            properties.insert("unknown".to_owned(), json!({"type": "object", "additionalProperties": reason}));
            object(Json::Object(properties), &[])
        }
    }
}

fn described(field: &Field, mut schema: Json) -> (String, Json) {
    schema["description"] = json!(field.doc);
    (field.name.to_owned(), schema)
}

fn object(properties: Json, required: &[&str]) -> Json {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}
