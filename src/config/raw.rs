//! What people write in `locard.yaml`.
pub struct ConfigErrors;
pub fn parse() {}
pub fn schema() {}
