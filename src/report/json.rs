//! `results.json` as bytes, back again, and its published schema.

use schemars::schema_for;
use serde_json::Value;

use crate::results::{Results, SCHEMA_VERSION};

/// Why some bytes are not results this version can read.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    #[error("not JSON")]
    Syntax(#[source] serde_json::Error),
    #[error("no `schema_version`: this is not a results.json of locard")]
    NoVersion,
    #[error(
        "results have schema_version {found}, this locard reads {SCHEMA_VERSION}; use the locard version that wrote them"
    )]
    UnsupportedVersion { found: String },
    #[error("results of schema_version {SCHEMA_VERSION} are not shaped as published")]
    Shape(#[source] serde_json::Error),
}

/// Results as pretty-printed JSON, keys in the order of the schema, one newline at the end.
pub fn to_bytes(results: &Results) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(results).unwrap_or_else(|e| panic!("internal error: results are plain data: {e}"));
    bytes.push(b'\n');
    bytes
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// When the bytes are not JSON, of another schema version, or not shaped as that version is.
pub fn from_bytes(bytes: &[u8]) -> Result<Results, JsonError> {
    let value: Value = serde_json::from_slice(bytes).map_err(JsonError::Syntax)?;
    match value.get("schema_version") {
        None => return Err(JsonError::NoVersion),
        Some(Value::String(version)) if version == SCHEMA_VERSION => {}
        Some(Value::String(version)) => return Err(JsonError::UnsupportedVersion { found: version.clone() }),
        Some(other) => return Err(JsonError::UnsupportedVersion { found: other.to_string() }),
    }
    // Parsed again from the text, so that an error tells line and column.
    serde_json::from_slice(bytes).map_err(JsonError::Shape)
}

/// JSON Schema (draft 2020-12) of results, with a description of every field that has one in the code.
pub fn schema() -> Value {
    let mut schema = schema_for!(Results).to_value();
    if let Some(root) = schema.as_object_mut() {
        root.insert("title".to_owned(), Value::from("locard results"));
        root.insert(
            "description".to_owned(),
            Value::from(
                "The canonical result of a locard run. Fields are only ever added within one schema_version; \
                 unknown things are said, never left out.",
            ),
        );
    }
    if let Some(version) = schema.pointer_mut("/properties/schema_version").and_then(Value::as_object_mut) {
        version.insert("const".to_owned(), Value::from(SCHEMA_VERSION));
    }
    if let Some(resource) = schema.pointer_mut("/$defs/ResourceId").and_then(Value::as_object_mut) {
        resource.insert("description".to_owned(), Value::from(RESOURCE_FORMS));
    }
    schema
}

const RESOURCE_FORMS: &str = "What a finding or an answer is about: an ARN where AWS has one, else one of \
`account:<account>`, `account-region:<account>:<region>`, `bedrock-invocation-logging:<account>:<region>`, \
`config-recorder:<account>:<region>`, `security-hub:<account>:<region>`, or, for everything of a kind that could not be \
listed, `<kind>:<account>:<region>`.";
