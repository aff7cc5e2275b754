//! The evidence graph: from workloads to the buckets, networks, log groups, keys and trails that hold their traces.

pub mod kinds;
pub mod reach;
pub mod subject;
