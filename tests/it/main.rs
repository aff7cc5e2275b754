//! One binary for all integration tests: every further one would link the AWS SDK again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
#[cfg(feature = "aws")]
mod binary;
mod checks;
mod cli;
mod config;
mod estate;
#[cfg(feature = "aws")]
mod faults;
#[cfg(feature = "aws")]
mod fan_out;
mod gate;
mod merge;
#[cfg(feature = "aws")]
mod moto;
mod report;
#[path = "../samples/mod.rs"]
mod samples;
mod score;
#[cfg(feature = "aws")]
mod shards;
mod size;
mod snapshot;
#[path = "../synthetic/mod.rs"]
mod synthetic;
