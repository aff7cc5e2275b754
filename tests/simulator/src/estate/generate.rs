//! Organizations made up from a number of accounts, a number of regions and a seed.

use std::sync::Arc;

use jiff::Timestamp;

use super::{Account, Listed, Organization};

/// How large an organization to make up, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub accounts: usize,
    /// Enabled regions of every account, from the list of default regions.
    pub regions: usize,
    pub seed: u64,
}

/// Builds accounts of a plan, each from its number alone.
pub(super) struct Generator {
    plan: Plan,
    now: Timestamp,
}

impl Generator {
    pub(super) fn new(plan: Plan, now: Timestamp) -> Self {
        Self { plan, now }
    }

    pub(super) fn listed(&self) -> Vec<Listed> {
        (0..self.plan.accounts)
            .map(|at| Listed {
                id: format!("{:012}", 100_000_000_000 + at),
                name: format!("account-{at}"),
                email: format!("account-{at}@example.com"),
                state: "ACTIVE".to_owned(),
                joined_by: "CREATED".to_owned(),
                joined: self.now,
                unit: None,
            })
            .collect()
    }

    pub(super) fn organization(&self) -> Organization {
        Organization {
            id: "o-generated0".to_owned(),
            root: "r-gene".to_owned(),
            management: self.caller(),
            units: Vec::new(),
            delegated: Vec::new(),
        }
    }

    pub(super) fn caller(&self) -> String {
        format!("{:012}", 100_000_000_000_u64)
    }

    pub(super) fn account(&self, at: usize) -> Account {
        let mut account = Account::empty(&format!("{:012}", 100_000_000_000 + at));
        let regions = super::DEFAULT_REGIONS.iter().take(self.plan.regions).map(|region| (*region).to_owned());
        account.regions = Arc::from(regions.collect::<Vec<_>>());
        account.role.name = "LocardAudit".to_owned();
        account.role.missing = false;
        account
    }

    pub(super) fn owner(&self, _bucket: &str) -> Option<String> {
        None
    }

    pub(super) fn to_yaml(&self) -> String {
        String::new()
    }
}
