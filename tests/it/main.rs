//! One binary for all integration tests: every further one would link the AWS SDK again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod checks;
mod cli;
mod config;
mod estate;
mod gate;
#[cfg(feature = "aws")]
mod moto;
mod report;
#[path = "../samples/mod.rs"]
mod samples;
mod score;
mod size;
mod snapshot;
#[path = "../synthetic/mod.rs"]
mod synthetic;
