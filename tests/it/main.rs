//! One binary for all integration tests: every further one would link the AWS SDK again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
#[cfg(feature = "aws")]
mod binary;
mod checks;
mod cli;
mod config;
#[cfg(feature = "aws")]
mod dice;
mod estate;
#[cfg(feature = "aws")]
mod fan_out;
#[cfg(feature = "aws")]
mod faults;
mod gate;
mod kept;
mod merge;
#[cfg(feature = "aws")]
mod moto;
mod reach;
mod report;
#[path = "../samples/mod.rs"]
mod samples;
mod score;
#[cfg(feature = "aws")]
mod sdk;
#[cfg(feature = "aws")]
mod shards;
mod size;
mod snapshot;
// It sends signals and limits what the process may write.
#[cfg(all(feature = "aws", unix))]
mod sweep;
#[path = "../synthetic/mod.rs"]
mod synthetic;
