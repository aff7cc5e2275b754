//! The organization and the accounts a run set out to assess.

use serde::{Deserialize, Serialize};

use crate::model::ids::{AccountId, Region};
use crate::model::observed::{Observed, Told, told};

/// Who is in scope and how that was found out; `organization.json` of a snapshot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Organization {
    /// The organization's id and management account. Absent: the caller is in none. Unknown: it may not be asked;
    /// both make the run a single-account run.
    pub organization: Observed<OrganizationId>,
    /// Every account listed, or the caller's alone in single-account mode.
    pub accounts: Vec<Account>,
    /// Whether `accounts` is all there is.
    #[serde(with = "told")]
    pub listed: Told<()>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrganizationId {
    pub id: String,
    pub management_account: AccountId,
}

/// One account as Organizations lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    pub id: AccountId,
    /// Hostile text: its owner chose it.
    pub name: Option<String>,
    /// `State`, or `Status` where AWS did not send the newer field. Only `ACTIVE` accounts are entered.
    pub state: Option<String>,
    /// Names of the organizational units from the root down, `Root/Workloads/Prod`; unknown when the tree could not
    /// be read.
    #[serde(with = "told")]
    pub ou_path: Told<String>,
    /// The ids of the same path, as `--ou` accepts them too.
    pub ou_ids: Vec<String>,
    /// Chosen by `--account`, `--ou` and the configuration.
    pub selected: bool,
}

/// What came of entering one account; the account is in coverage whatever it says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountEntry {
    /// The ARN of the session inside, or why there is none.
    #[serde(with = "told")]
    pub session: Told<String>,
    /// Regions enabled in the account (`ec2:DescribeRegions`), all of them.
    #[serde(with = "told")]
    pub enabled_regions: Told<Vec<Region>>,
    /// Those this run read; fewer when `--region` or the configuration narrows it.
    pub read_regions: Vec<Region>,
    /// Whether the workloads of the account were collected; false where it was entered only for evidence that
    /// others' workloads reach.
    pub workloads: bool,
}
