//! What the simulated organization holds: its accounts, their buckets and, by region, the resources of each service.
//!
//! Resources are kept as the call that describes them answers; what lists of them say is derived by `services`. Who may
//! read them, at which speed and over which protocol is not decided here.

mod allowed;
mod generate;
mod kinds;
mod moment;
mod read;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use serde_json::Value;

use generate::Generator;
pub use generate::Plan;
pub(crate) use kinds::Kind;

/// Regions that every account has without opting in.
pub const DEFAULT_REGIONS: &[&str] = &[
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
];

/// Regions that an account has only after opting in.
pub const OPT_IN_REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
];

/// An organization, or one account without any. Accounts are built when first asked for.
pub struct Estate {
    /// None: the caller's account is in no organization.
    pub organization: Option<Organization>,
    /// Account whose user makes the first call.
    pub caller: String,
    /// What AWS does not offer in a region: `service` or `service:Operation`, by region.
    pub absent: BTreeMap<String, Vec<String>>,
    listed: Vec<Listed>,
    index: HashMap<String, usize>,
    built: Vec<OnceLock<Arc<Account>>>,
    generator: Option<Generator>,
    /// Owners of buckets, for estates that were read.
    owners: HashMap<String, usize>,
}

/// The organization itself and the tree of its units.
#[derive(Clone, Debug, PartialEq)]
pub struct Organization {
    /// `o-...`
    pub id: String,
    /// `r-...`
    pub root: String,
    /// Account that pays, and that holds the organization's trails.
    pub management: String,
    /// In the order written; a parent comes before its children.
    pub units: Vec<Unit>,
    /// Accounts that may read the organization besides the management account.
    pub delegated: Vec<String>,
}

/// An organizational unit.
#[derive(Clone, Debug, PartialEq)]
pub struct Unit {
    /// `ou-...`
    pub id: String,
    pub name: String,
    /// Names from below the root, `Workloads/Production`.
    pub path: String,
    /// Position of the parent; none for a unit right below the root.
    pub parent: Option<usize>,
    pub refused: Refused,
}

/// What the organization lists of an account, known without building it.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    pub id: String,
    pub name: String,
    pub email: String,
    /// `ACTIVE`, `SUSPENDED`, `PENDING_CLOSURE`, `CLOSED` or `PENDING_ACTIVATION`.
    pub state: String,
    /// `INVITED` or `CREATED`.
    pub joined_by: String,
    pub joined: Timestamp,
    /// Position of the unit the account is in; none for the root.
    pub unit: Option<usize>,
}

/// One account.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    pub id: String,
    /// Enabled regions, in the order of AWS's lists.
    pub regions: Arc<[String]>,
    pub role: Role,
    /// What service control policies refuse, those of its units included. Nothing for a management account.
    pub refused: Refused,
    pub buckets: BTreeMap<String, Bucket>,
    resources: BTreeMap<String, Vec<(&'static Kind, Vec<Value>)>>,
}

/// The role a run assumes in an account.
#[derive(Clone, Debug, PartialEq)]
pub struct Role {
    pub name: String,
    /// It does not exist, and nobody can assume it.
    pub missing: bool,
    /// The external id its trust policy asks for.
    pub external_id: Option<String>,
    /// IAM actions its permissions lack; `*` stands for any text.
    pub denied: Vec<String>,
}

/// What service control policies refuse.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Refused {
    /// IAM actions; `*` stands for any text.
    pub actions: Vec<String>,
    pub regions: Vec<String>,
}

/// A bucket. The settings are the answers to the calls that read them, by the names of the API model; none is what AWS
/// says of a setting never made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Bucket {
    pub region: String,
    /// RFC 3339.
    pub created: String,
    /// `{Status, MFADelete}`
    pub versioning: Option<Value>,
    /// `{ObjectLockEnabled, Rule: {DefaultRetention: {Mode, Days}}}`
    pub object_lock: Option<Value>,
    /// `{TargetBucket, TargetPrefix}`
    pub logging: Option<Value>,
    /// The document as text.
    pub policy: Option<String>,
    /// `{Rules: [{ApplyServerSideEncryptionByDefault: {SSEAlgorithm, KMSMasterKeyID}}]}`; none: as every bucket has it
    /// since 2023, null: none at all, as before.
    pub encryption: Option<Value>,
    /// `{Rules: [...]}`
    pub lifecycle: Option<Value>,
    /// `{Role, Rules: [...]}`
    pub replication: Option<Value>,
    /// `{Rules: [{ObjectOwnership}]}`
    pub ownership: Option<Value>,
    /// `{Owner, Grants: [...]}`; none: the owner alone has full control.
    pub acl: Option<Value>,
    /// `{BlockPublicAcls, ...}`
    pub public_access_block: Option<Value>,
    /// `{TagSet: [...]}`
    pub tags: Option<Value>,
}

/// Everything wrong with an estate, a line a problem.
#[derive(Debug, thiserror::Error)]
#[error("the estate cannot be used:\n{}", .0.iter().map(|p| format!("  {p}")).collect::<Vec<_>>().join("\n"))]
pub struct Problems(pub Vec<String>);

impl Estate {
    /// The estate a YAML (or JSON) text describes. `now` is what times relative to the start, `-3h`, are counted from.
    pub fn from_yaml(text: &str, now: Timestamp) -> Result<Self, Problems> {
        let document = read::parse(text)?;
        let read = read::document(document, now)?;
        let mut owners = HashMap::new();
        for (at, account) in read.accounts.iter().enumerate() {
            owners.extend(account.buckets.keys().map(|bucket| (bucket.clone(), at)));
        }
        let built = read.accounts.into_iter().map(|account| OnceLock::from(Arc::new(account))).collect();
        let estate = Self::new(read.organization, read.caller, read.listed, built, None, owners);
        Ok(Self { absent: read.absent, ..estate })
    }

    /// A made-up organization; equal plans give equal ones.
    pub fn generate(plan: Plan, now: Timestamp) -> Self {
        let generator = Generator::new(plan, now);
        let listed = generator.listed();
        let built = listed.iter().map(|_| OnceLock::new()).collect();
        let (organization, caller) = (generator.organization(), generator.caller());
        Self::new(Some(organization), caller, listed, built, Some(generator), HashMap::new())
    }

    fn new(
        organization: Option<Organization>,
        caller: String,
        listed: Vec<Listed>,
        built: Vec<OnceLock<Arc<Account>>>,
        generator: Option<Generator>,
        owners: HashMap<String, usize>,
    ) -> Self {
        let index = listed.iter().enumerate().map(|(at, account)| (account.id.clone(), at)).collect();
        Self { organization, caller, absent: BTreeMap::new(), listed, index, built, generator, owners }
    }

    /// Every account as the organization lists it.
    pub fn listed(&self) -> &[Listed] {
        &self.listed
    }

    /// One account as the organization lists it.
    pub fn listing(&self, id: &str) -> Option<&Listed> {
        self.index.get(id).map(|&at| &self.listed[at])
    }

    /// One account, built when first asked for and kept.
    pub fn account(&self, id: &str) -> Option<&Arc<Account>> {
        let &at = self.index.get(id)?;
        Some(self.built[at].get_or_init(|| match &self.generator {
            Some(generator) => Arc::new(generator.account(at)),
            // Accounts of an estate that was read are there from the start.
            None => Arc::new(Account::empty(id)),
        }))
    }

    /// The account that owns a bucket: their names are unique in the partition.
    pub fn owner(&self, bucket: &str) -> Option<&Arc<Account>> {
        let id = match &self.generator {
            Some(generator) => generator.owner(bucket)?,
            None => self.listed[*self.owners.get(bucket)?].id.clone(),
        };
        self.account(&id).filter(|account| account.buckets.contains_key(bucket))
    }

    /// Whether AWS offers an operation in a region.
    pub(crate) fn offers(&self, region: &str, service: &str, operation: &str) -> bool {
        let lacks = |absent: &String| match absent.split_once(':') {
            Some((of, only)) => of == service && only == operation,
            None => absent == service,
        };
        !self.absent.get(region).is_some_and(|absent| absent.iter().any(lacks))
    }

    /// Whether it was generated, not written down.
    pub fn is_made_up(&self) -> bool {
        self.generator.is_some()
    }

    /// A generated estate as the YAML it could have been read from.
    pub fn to_yaml(&self) -> Option<Result<String, String>> {
        self.generator.as_ref().map(Generator::to_yaml)
    }

    /// Whether the account is the organization's management account.
    pub fn manages(&self, account: &str) -> bool {
        self.organization.as_ref().is_some_and(|organization| organization.management == account)
    }
}

impl Account {
    fn empty(id: &str) -> Self {
        Self {
            id: id.to_owned(),
            regions: Arc::new([]),
            role: Role { name: String::new(), missing: true, external_id: None, denied: Vec::new() },
            refused: Refused::default(),
            buckets: BTreeMap::new(),
            resources: BTreeMap::new(),
        }
    }

    /// Whether the account uses the region.
    pub fn enabled(&self, region: &str) -> bool {
        self.regions.iter().any(|enabled| enabled == region)
    }

    /// Resources of one kind in a region, in the order of the estate.
    pub(crate) fn all(&self, region: &str, service: &str, kind: &str) -> &[Value] {
        let of_region = self.resources.get(region).map_or(&[][..], Vec::as_slice);
        let found = of_region.iter().find(|(known, _)| known.service == service && known.name == kind);
        found.map_or(&[], |(_, resources)| resources)
    }

    /// A setting of which a region has at most one.
    pub(crate) fn one(&self, region: &str, service: &str, kind: &str) -> Option<&Value> {
        self.all(region, service, kind).first()
    }

    /// Resources of one kind whatever their region.
    pub(crate) fn everywhere<'a>(
        &'a self,
        service: &'a str,
        kind: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a Value)> {
        self.resources.keys().flat_map(move |region| {
            self.all(region, service, kind).iter().map(move |resource| (region.as_str(), resource))
        })
    }
}
