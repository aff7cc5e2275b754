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
