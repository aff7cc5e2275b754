//! One binary for all integration tests: every further one would link the AWS SDK again.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
#[cfg(feature = "aws")]
mod binary;
mod checks;
mod cli;
mod config;
mod estate;
mod gate;
#[cfg(feature = "aws")]
mod moto;
mod report;
mod score;
mod snapshot;
// It sends signals and limits what the process may write.
#[cfg(all(feature = "aws", unix))]
mod sweep;
