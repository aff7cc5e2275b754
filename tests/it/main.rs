//! One binary for all integration tests: every further one would link the AWS SDK again.

mod architecture;
mod checks;
mod cli;
mod config;
mod estate;
mod gate;
mod moto;
mod report;
mod score;
mod snapshot;
