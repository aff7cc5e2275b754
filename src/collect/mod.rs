//! Collecting the facts: which accounts, in which order, one file a service.
//!
//! Collectors ask AWS and turn its answers into facts; they judge nothing, and what they cannot read is a fact too.

pub mod organizations;
pub mod progress;
pub mod runner;
pub(crate) mod scope;

// What the collectors share.
mod listing;
mod workloads;

// One file a service.
pub(crate) mod bedrock;
pub(crate) mod bedrockagent;
pub(crate) mod cloudtrail;
pub(crate) mod cloudwatch;
pub(crate) mod ec2;
pub(crate) mod kms;
pub(crate) mod logs;
pub(crate) mod s3;
pub(crate) mod sagemaker;

#[cfg(test)]
mod tests;

/// Every call that collecting makes, sorted; the table of operations allows these and no others.
pub fn calls() -> Vec<&'static str> {
    let mut calls = [
        organizations::CALLS,
        runner::CALLS,
        bedrock::CALLS,
        bedrockagent::CALLS,
        cloudtrail::CALLS,
        cloudwatch::CALLS,
        ec2::CALLS,
        kms::CALLS,
        logs::CALLS,
        s3::CALLS,
        sagemaker::CALLS,
    ]
    .concat();
    calls.sort_unstable();
    calls
}
