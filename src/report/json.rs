//! `results.json` as bytes, back again, and its published schema. `results::stream` reads what does not fit in memory.

use schemars::schema_for;
use serde_json::Value;

use crate::results::stream::{self, ReadError};
use crate::results::{GateResult, Results, SCHEMA_VERSION};

/// What results that are not gated end with.
pub const END: &[u8] = b"\n}\n";

/// Results as pretty-printed JSON, keys in the order of the schema, one newline at the end.
pub fn to_bytes(results: &Results) -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(results).unwrap_or_else(|e| panic!("internal error: results are plain data: {e}"));
    bytes.push(b'\n');
    bytes
}

/// What stands in the place of [`END`] once a gate has judged: the last member, and the end.
pub fn gated_end(gate: &GateResult) -> Vec<u8> {
    let gate =
        serde_json::to_string_pretty(gate).unwrap_or_else(|e| panic!("internal error: a gate is plain data: {e}"));
    format!(",\n  \"gate\": {}\n}}\n", gate.replace('\n', "\n  ")).into_bytes()
}

/// Reads what [`to_bytes`] wrote.
///
/// # Errors
/// When the bytes are not JSON, of another schema version, or not shaped as that version is.
pub fn from_bytes(bytes: &[u8]) -> Result<Results, ReadError> {
    stream::check_version(bytes)?;
    serde_json::from_slice(bytes).map_err(ReadError::from)
}

/// The published schema as a file.
pub fn schema_bytes() -> Vec<u8> {
    let mut bytes =
        serde_json::to_vec_pretty(&schema()).unwrap_or_else(|e| panic!("internal error: a schema is plain data: {e}"));
    bytes.push(b'\n');
    bytes
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
