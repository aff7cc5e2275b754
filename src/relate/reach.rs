//! Which evidence the collected workloads reach, as names: what the second pass must read, and where.

use std::collections::BTreeSet;

use crate::inventory::Line;
use crate::model::ids::{AccountId, Region};

/// Names that collected facts refer to, and who owns them.
#[derive(Clone, Debug, Default)]
pub struct References {}

impl References {
    pub fn of(_lines: &[Line]) -> References {
        References::default()
    }

    pub fn merge(&mut self, _other: References) {}
}

/// What the second pass must read, by owner account and region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    pub account: AccountId,
    pub region: Region,
    pub buckets: BTreeSet<String>,
    pub subnets: BTreeSet<String>,
    pub log_groups: BTreeSet<String>,
    /// Vended log deliveries of the region.
    pub deliveries: bool,
    pub keys: BTreeSet<String>,
}

pub fn readings(_references: &References) -> Vec<Reading> {
    Vec::new()
}
