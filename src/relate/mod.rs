//! The evidence graph: from workloads to the buckets, networks, log groups, keys and trails that hold their traces.
//!
//! It says where evidence would be and what the facts there are; whether that is good enough, checks say.

pub mod done;
pub mod graph;
pub mod kinds;
pub mod reach;
pub mod shared;
pub mod subject;

mod buckets;
mod copies;
mod discovery;
mod groups;
mod index;
mod kleene;
mod lifetime;
mod location;
mod modalities;
mod names;
mod network;
mod outward;
mod own;
mod policy;
mod selectors;
mod trails;
