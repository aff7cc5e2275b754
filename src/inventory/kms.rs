//! Keys that evidence is encrypted with.

use serde::{Deserialize, Serialize};

use crate::model::observed::{Told, told};

/// A key by the name evidence refers to it with, which is its line's id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Key {
    /// Key ARN, id or alias as referred to.
    pub reference: String,
    #[serde(with = "told")]
    pub state: Told<KeyState>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyState {
    pub arn: String,
    /// `Enabled`, `Disabled`, `PendingDeletion`, ...
    pub state: String,
    /// `AWS` or `CUSTOMER`.
    pub manager: Option<String>,
}
