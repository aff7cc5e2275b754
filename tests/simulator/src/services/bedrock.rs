//! `bedrock`: not written yet.

use super::{AwsError, Call, Outcome};

pub(crate) fn answer(call: &Call<'_>) -> Outcome {
    Err(AwsError::unknown_operation(call))
}
