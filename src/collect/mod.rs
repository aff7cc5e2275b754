//! Collecting the facts: which accounts, in which order, one file a service.
//!
//! Collectors ask AWS and turn its answers into facts; they judge nothing, and what they cannot read is a fact too.

pub mod organizations;
pub mod progress;
pub mod runner;
pub(crate) mod scope;
