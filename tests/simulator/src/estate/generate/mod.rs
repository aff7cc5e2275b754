//! Organizations made up from a number of accounts, a number of regions and a seed.
//!
//! The first accounts are the same in every organization: management with the organization's trail, an archive for its
//! logs, security, a data lake that others train on, and some that are telling in tests. The rest is mostly without AI,
//! as organizations are. What lies in a region with AI is in `workloads`.

mod dice;
mod workloads;

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{Account, DEFAULT_REGIONS, Listed, Organization, Problems, Unit, moment, read};
use dice::Dice;

/// How large an organization to make up, and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    pub accounts: usize,
    /// Enabled regions of every account: so many of the default ones.
    pub regions: usize,
    pub seed: u64,
}

/// Builds accounts of a plan, each from its number alone.
pub(super) struct Generator {
    plan: Plan,
    now: Timestamp,
    units: Vec<Unit>,
}

/// What an account is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    Management,
    LogArchive,
    Security,
    DataLake,
    /// Everything recorded, kept and locked.
    Good,
    /// Every control is there and falls short.
    Mixed,
    /// As mixed, and so much of it that lists have pages.
    Large,
    /// AI of which nothing is recorded.
    Bad,
    /// Base models of Bedrock alone, which leave a metric and no resource.
    BaseModels,
    /// No AI.
    Empty,
    /// No AI, and no role to look.
    Unenrolled,
    /// Closed; the organization still lists it.
    Suspended,
    /// AI in a unit where policies refuse most regions.
    Restricted,
    /// AI, read by a role that lacks permissions.
    HalfReadable,
}

/// Names that AWS may not take everywhere and that no report may trust.
const ODD_NAMES: &[&str] = &[
    "<script>alert(1)</script>",
    "=HYPERLINK(\"https://example.com\",\"x\")",
    "| pipe | table | `code` |",
    "\u{1b}[31mred\u{1b}[0m",
    "Zürich – データ 🧪",
    "]]> -- '; drop table accounts",
    "{{ 7 * 7 }} ${x} %s",
    "\u{202e}detrevni",
];

/// What half readable roles lack.
const DENIALS: &[&[&str]] = &[
    &["s3:GetBucketPolicy", "logs:DescribeLogGroups"],
    &["sagemaker:DescribeEndpoint*"],
    &["bedrock:Get*", "kms:DescribeKey"],
    &["ec2:DescribeFlowLogs", "s3:GetBucketObjectLockConfiguration"],
];

/// The first day of 2026, when the last account joined at the latest. Not counted from the start as other times are:
/// joining is over, and equal seeds are to give equal organizations whenever they are made up.
const LAST_JOINED: Timestamp = Timestamp::constant(1_767_225_600, 0);

/// Positions of the accounts that are the same everywhere.
const LOG_ARCHIVE: usize = 1;
const DATA_LAKE: usize = 3;
const FIXED: &[Story] = &[
    Story::Management,
    Story::LogArchive,
    Story::Security,
    Story::DataLake,
    Story::Good,
    Story::Large,
    Story::Bad,
    Story::Empty,
    Story::BaseModels,
    Story::Mixed,
    Story::Unenrolled,
    Story::Restricted,
    Story::Suspended,
    Story::HalfReadable,
];

const UNITS: &[(&str, &[&str], &[&str])] = &[
    ("Security", &[], &[]),
    ("Data", &[], &[]),
    ("Workloads", &[], &[]),
    ("Workloads/Production", &[], &[]),
    ("Workloads/Development", &[], &[]),
    ("Workloads/Europe", &[], OUTSIDE_EUROPE),
    ("Sandbox", &["organizations:LeaveOrganization"], &[]),
    ("Suspended", &[], &[]),
];

const OUTSIDE_EUROPE: &[&str] = &[
    "us-west-1",
    "us-west-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "sa-east-1",
];

impl Generator {
    pub(super) fn new(plan: Plan, now: Timestamp) -> Self {
        let mut generator = Self { plan, now, units: Vec::new() };
        generator.units = generator.organization().units;
        generator
    }

    pub(super) fn listed(&self) -> Vec<Listed> {
        (0..self.plan.accounts).map(|at| self.listing(at)).collect()
    }

    fn listing(&self, at: usize) -> Listed {
        let mut dice = self.dice(at, 1);
        let story = self.story(at);
        let odd = at >= FIXED.len() && dice.chance(2);
        let id = self.id(at);
        let name = match story {
            Story::Management => "management".to_owned(),
            Story::LogArchive => "log-archive".to_owned(),
            Story::Security => "security".to_owned(),
            Story::DataLake => "data-lake".to_owned(),
            _ if odd && dice.chance(10) => "long-".repeat(40),
            _ if odd => format!("{} {at}", dice.pick(ODD_NAMES)),
            _ => {
                let team = dice.pick(&[
                    "search", "ranking", "support", "fraud", "pricing", "vision", "forecast", "web", "billing",
                    "mobile",
                ]);
                let stage = dice.pick(&["prod", "staging", "dev", "test"]);
                format!("{team}-{stage}-{at}")
            }
        };
        let unit = match story {
            Story::Management => None,
            Story::LogArchive | Story::Security => Some("Security"),
            Story::DataLake => Some("Data"),
            Story::Good | Story::Large | Story::HalfReadable => Some("Workloads/Production"),
            Story::Restricted => Some("Workloads/Europe"),
            Story::Suspended => Some("Suspended"),
            Story::Mixed | Story::Bad | Story::BaseModels => Some("Workloads/Development"),
            Story::Empty | Story::Unenrolled => {
                dice.pick(&[Some("Sandbox"), Some("Workloads"), Some("Workloads/Production"), None])
            }
        };
        let state = if story == Story::Suspended { "SUSPENDED" } else { "ACTIVE" };
        let before = jiff::SignedDuration::from_hours(24 * dice.below(1500) as i64);
        Listed {
            email: format!("aws+{id}@example.com"),
            id,
            name,
            state: state.to_owned(),
            joined_by: dice.pick(&["CREATED", "CREATED", "CREATED", "INVITED"]).to_string(),
            joined: LAST_JOINED.checked_sub(before).unwrap_or(LAST_JOINED),
            unit: unit.and_then(|path| self.units.iter().position(|unit| unit.path == path)),
        }
    }

    pub(super) fn organization(&self) -> Organization {
        complete(read::organization(self.organization_document(), self.now), || Organization {
            id: String::new(),
            root: String::new(),
            management: self.id(0),
            units: Vec::new(),
            delegated: Vec::new(),
        })
    }

    fn organization_document(&self) -> Value {
        let units = UNITS.iter().map(|(path, actions, regions)| {
            let plain = actions.is_empty() && regions.is_empty();
            let scps = json!({ "actions": actions, "regions": regions });
            if plain { json!(path) } else { json!({ "path": path, "scps": scps }) }
        });
        let units: Vec<Value> = units.collect();
        json!({ "id": "o-generated0", "root": "r-gene", "management": self.id(0), "units": units })
    }

    pub(super) fn caller(&self) -> String {
        self.id(0)
    }

    pub(super) fn account(&self, at: usize) -> Account {
        let listed = self.listing(at);
        let members = self.members(at, &listed);
        complete(read::account(members, &self.units, at == 0, self.now), || Account::empty(&listed.id))
    }

    /// The account a bucket's name says it belongs to: names here end in the owner's id.
    pub(super) fn owner(&self, bucket: &str) -> Option<String> {
        let id = bucket.get(bucket.len().checked_sub(12)?..)?;
        id.bytes().all(|byte| byte.is_ascii_digit()).then(|| id.to_owned())
    }

    pub(super) fn to_yaml(&self) -> Result<String, String> {
        let listed = self.listed();
        let accounts = listed.iter().enumerate().map(|(at, listed)| Value::Object(self.members(at, listed)));
        let accounts: Vec<Value> = accounts.collect();
        let document = json!({ "organization": self.organization_document(), "accounts": accounts });
        serde_saphyr::to_string(&document).map_err(|error| error.to_string())
    }

    /// Twelve digits that look like nothing in particular, no two alike.
    fn id(&self, at: usize) -> String {
        const SPACE: u64 = 1_000_000_000_000;
        // An odd factor that is no multiple of 5 visits every number below the power of ten once.
        let start = dice::mix(self.plan.seed) % SPACE;
        format!("{:012}", (start + (at as u64).wrapping_mul(382_719_445_303)) % SPACE)
    }

    fn dice(&self, at: usize, salt: u64) -> Dice {
        Dice::new(dice::mix(self.plan.seed) ^ dice::mix((at as u64) << 8 | salt))
    }

    fn story(&self, at: usize) -> Story {
        if let Some(story) = FIXED.get(at) {
            return *story;
        }
        let mut dice = self.dice(at, 0);
        match dice.below(1000) {
            0..=69 => Story::Good,
            70..=124 => Story::Mixed,
            125..=164 => Story::Bad,
            165..=184 => Story::BaseModels,
            185..=192 => Story::Restricted,
            193..=199 => Story::HalfReadable,
            200..=201 => Story::Large,
            202..=219 => Story::Unenrolled,
            220..=229 => Story::Suspended,
            _ => Story::Empty,
        }
    }

    fn regions(&self) -> &'static [&'static str] {
        &DEFAULT_REGIONS[..self.plan.regions.clamp(1, DEFAULT_REGIONS.len())]
    }

    /// Regions in which an account has AI: one to three, the usual ones first.
    fn ai_regions(&self, story: Story, dice: &mut Dice) -> Vec<&'static str> {
        let usual = ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1", "ap-northeast-1"];
        let refused: &[&str] = if story == Story::Restricted { OUTSIDE_EUROPE } else { &[] };
        let mut usual: Vec<&str> = usual.into_iter().filter(|region| self.regions().contains(region)).collect();
        usual.retain(|region| !refused.contains(region));
        let many = 1 + dice.below(3) as usize;
        if !usual.is_empty() {
            let first = dice.below(usual.len() as u64) as usize;
            usual.rotate_left(first);
        }
        usual.truncate(many);
        usual
    }

    /// The account as an estate would write it.
    fn members(&self, at: usize, listed: &Listed) -> Map<String, Value> {
        let story = self.story(at);
        let mut dice = self.dice(at, 2);
        let mut members = Map::new();
        let mut put = |key: &str, value: Value| members.insert(key.to_owned(), value);
        put("id", json!(listed.id));
        put("name", json!(listed.name));
        put("email", json!(listed.email));
        put("state", json!(listed.state));
        put("joined", moment::written(listed.joined, moment::Form::Text));
        put("joined_by", json!(listed.joined_by));
        if let Some(unit) = listed.unit {
            put("unit", json!(self.units[unit].path));
        }
        if self.plan.regions < DEFAULT_REGIONS.len() {
            put("regions", json!(self.regions()));
        }
        match story {
            Story::Unenrolled | Story::Suspended => drop(put("role", json!({ "missing": true }))),
            Story::HalfReadable => {
                put("role", json!({ "denied": dice.pick(DENIALS) }));
            }
            _ => {}
        }
        let (buckets, resources) = self.contents(at, story, &listed.id, &mut dice);
        put("buckets", Value::Object(buckets));
        put("resources", Value::Object(resources));
        members
    }

    fn contents(&self, at: usize, story: Story, id: &str, dice: &mut Dice) -> (Map<String, Value>, Map<String, Value>) {
        let home = self.regions()[0];
        let mut content = workloads::Content::new(id, home);
        match story {
            Story::Management => {
                let bucket = format!("org-trail-{}", self.id(LOG_ARCHIVE.min(self.plan.accounts - 1)));
                content.organization_trail(&bucket, &self.id(DATA_LAKE));
                if self.plan.accounts <= LOG_ARCHIVE {
                    content.log_archive();
                }
            }
            Story::LogArchive => content.log_archive(),
            Story::DataLake => content.data_lake(),
            Story::Good | Story::Mixed | Story::Large | Story::Bad | Story::Restricted | Story::HalfReadable => {
                let level = match story {
                    Story::Good => workloads::Level::Good,
                    Story::Bad => workloads::Level::Bad,
                    Story::Restricted | Story::HalfReadable if at.is_multiple_of(2) => workloads::Level::Good,
                    _ => workloads::Level::Mixed,
                };
                let central = workloads::Central {
                    archive: self.id(LOG_ARCHIVE.min(self.plan.accounts - 1)),
                    lake: (self.plan.accounts > DATA_LAKE).then(|| self.id(DATA_LAKE)),
                };
                for region in self.ai_regions(story, dice) {
                    content.ai(region, level, &central, story == Story::Large, dice);
                }
            }
            Story::BaseModels => {
                for region in self.ai_regions(story, dice) {
                    content.base_models(region, dice);
                }
            }
            Story::Security | Story::Empty | Story::Unenrolled | Story::Suspended => {}
        }
        for number in 0..dice.below(6) {
            content.ordinary_bucket(number, self.regions(), dice);
        }
        content.finish()
    }
}

/// What is made up here has no problems; a test reads all of it.
fn complete<T>(read: Result<T, Problems>, otherwise: impl Fn() -> T) -> T {
    read.unwrap_or_else(|problems| {
        debug_assert!(false, "{problems}");
        otherwise()
    })
}

/// Resources of an account by region, service and kind.
type Resources = BTreeMap<&'static str, BTreeMap<&'static str, BTreeMap<&'static str, Value>>>;
