//! Known, absent, unknown: the three answers that are never folded into each other.
//!
//! `Told<T>` is a value that always exists in AWS but may not have been read; `Observed<T>` may also not exist.
//! Both convert with `?` inside functions that return `Result<_, Unknown>`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AccountId, Region};

/// Why something is not known. The classes follow the answers AWS gives, see `collect` for how errors map to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The role lacks the permission, or a resource policy denies it.
    Denied,
    /// A service control policy denies it; granting the role more does not help.
    DeniedByScp,
    /// AWS kept throttling after all retries.
    Throttled,
    /// No answer in time.
    TimedOut,
    /// The region is not enabled for the account, or refuses its credentials.
    RegionDisabled,
    /// The account is not subscribed to the service.
    NotSubscribed,
    /// The service does not exist in the region.
    ServiceAbsent,
    /// The answer lacked a required member or could not be parsed.
    Malformed,
    /// The resource was listed and gone when it was described.
    Vanished,
    /// Nobody asked: the fact is outside the plan of the run that made the snapshot.
    NotCollected,
    /// The resource belongs to an account outside the sweep.
    Foreign,
    /// The account that owns it could not be entered.
    NotEntered,
    /// More exist than the stated cap lets the run describe.
    Capped,
    /// AWS told it in terms that cannot be decided from outside, such as a tag filter.
    Undecidable,
    /// The run was stopped, or its time was up, before this was asked.
    RunEnded,
    /// Any other failed call.
    Failed,
}

impl Why {
    /// Whether running again may help without anybody changing anything; `--resume` repeats only these.
    pub fn passing(self) -> bool {
        matches!(
            self,
            Self::Throttled | Self::TimedOut | Self::Failed | Self::Malformed | Self::Vanished | Self::RunEnded
        )
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Denied => "denied",
            Self::DeniedByScp => "denied by a service control policy",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed out",
            Self::RegionDisabled => "region not enabled",
            Self::NotSubscribed => "service not subscribed",
            Self::ServiceAbsent => "service not in this region",
            Self::Malformed => "answer malformed",
            Self::Vanished => "vanished while reading",
            Self::NotCollected => "not collected",
            Self::Foreign => "in an account outside the sweep",
            Self::NotEntered => "in an account that could not be entered",
            Self::Capped => "more exist than were described",
            Self::Undecidable => "cannot be decided from configuration",
            Self::RunEnded => "not asked before the run ended",
            Self::Failed => "call failed",
        }
    }
}

/// What is not known: the call that would have told it, where, and why it did not.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unknown {
    /// `service:Operation`, as in the table of operations, e.g. `s3:GetBucketLogging`; empty when no call exists.
    pub call: String,
    pub why: Why,
    /// The account the call was, or would have been, made in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// What AWS said, shortened; hostile text, to be escaped where it is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Unknown {
    pub fn new(call: &str, why: Why) -> Self {
        Self { call: call.to_owned(), why, account: None, region: None, message: None }
    }

    pub fn in_account(mut self, account: &AccountId) -> Self {
        self.account = Some(account.clone());
        self
    }

    pub fn in_region(mut self, region: &Region) -> Self {
        self.region = Some(region.clone());
        self
    }

    pub fn saying(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into());
        self
    }

    /// One line for people: `s3:GetBucketLogging in 111122223333/eu-west-1: denied`.
    pub fn sentence(&self) -> String {
        let mut text = self.call.clone();
        match (&self.account, &self.region) {
            (Some(a), Some(r)) => text.push_str(&format!(" in {a}/{r}")),
            (Some(a), None) => text.push_str(&format!(" in {a}")),
            (None, Some(r)) => text.push_str(&format!(" in {r}")),
            (None, None) => {}
        }
        if !text.is_empty() {
            text.push_str(": ");
        }
        text.push_str(self.why.word());
        text
    }
}

/// A value that AWS always has, read or not.
pub type Told<T> = Result<T, Unknown>;

/// A value that AWS may not have: known, told to be absent, or not known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Observed<T> {
    Known(T),
    Absent,
    Unknown(Unknown),
}

impl<T> Observed<T> {
    /// `Ok(None)` when AWS says there is none.
    pub fn get(&self) -> Result<Option<&T>, Unknown> {
        match self {
            Self::Known(value) => Ok(Some(value)),
            Self::Absent => Ok(None),
            Self::Unknown(unknown) => Err(unknown.clone()),
        }
    }

    /// The present value, if it is known to be present.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Absent | Self::Unknown(_) => None,
        }
    }

    pub fn from_option(value: Option<T>) -> Self {
        value.map_or(Self::Absent, Self::Known)
    }

    /// From an answer that may be an error and may hold nothing.
    pub fn from_told(told: Told<Option<T>>) -> Self {
        match told {
            Ok(Some(value)) => Self::Known(value),
            Ok(None) => Self::Absent,
            Err(unknown) => Self::Unknown(unknown),
        }
    }

    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Known(value) => Observed::Known(f(value)),
            Self::Absent => Observed::Absent,
            Self::Unknown(unknown) => Observed::Unknown(unknown),
        }
    }
}

/// Serializes a [`Told`] like an [`Observed`] that cannot be absent; use as `#[serde(with = "told")]`.
pub mod told {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Told, Unknown};

    #[derive(Serialize)]
    #[serde(rename_all = "snake_case")]
    enum View<'a, T> {
        Known(&'a T),
        Unknown(&'a Unknown),
    }

    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Owned<T> {
        Known(T),
        Unknown(Unknown),
    }

    pub fn serialize<T: Serialize, S: Serializer>(told: &Told<T>, serializer: S) -> Result<S::Ok, S::Error> {
        match told {
            Ok(value) => View::Known(value).serialize(serializer),
            Err(unknown) => View::<T>::Unknown(unknown).serialize(serializer),
        }
    }

    pub fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(deserializer: D) -> Result<Told<T>, D::Error> {
        Ok(match Owned::deserialize(deserializer)? {
            Owned::Known(value) => Ok(value),
            Owned::Unknown(unknown) => Err(unknown),
        })
    }
}
