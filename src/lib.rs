//! locard audits whether an AWS organization could answer an investigator's questions about its AI workloads.
//!
//! Modules stand on floors: each imports only those above it in this list. `ARCHITECTURE.md` is the map.

// Floor 0: vocabulary.
pub mod model;

// Floor 1: values.
pub mod config;
pub mod finding;
pub mod inventory;
pub mod results;

// Floor 2: pure judgement.
pub mod assess;
pub mod check;
pub mod gate;
pub mod merge;
pub mod relate;
pub mod role;
pub mod score;

// Floor 3: input and output.
#[cfg(feature = "aws")]
pub mod aws;
#[cfg(feature = "aws")]
pub mod collect;
pub mod files;
pub mod report;

// Floor 4: the command line.
pub mod cli;
