//! Identities that cross module borders: accounts, regions, partitions and ARNs.
//!
//! They are thin wrappers over text: AWS may grow new forms, so parsing checks only what locard relies on.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// A 12-digit AWS account id; leading zeros are significant, so it is text.
    AccountId
}
text_id! {
    /// An AWS region code such as `eu-west-1`.
    Region
}
text_id! {
    /// An ARN partition: `aws`, `aws-cn` or `aws-us-gov`.
    Partition
}
text_id! {
    /// What a fact, a finding or a graph node is about: an ARN where AWS has one, else one of the forms listed in
    /// the results schema (`bedrock-invocation-logging:<account>:<region>` and the like).
    ResourceId
}

impl AccountId {
    /// Accepts exactly twelve digits.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{text}` is not an AWS account id: it has twelve digits, quoted in YAML to keep leading zeros"
            ))
        }
    }
}

impl Partition {
    /// The partition a region belongs to, by its code
    /// (<https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>).
    pub fn of_region(region: &Region) -> Self {
        match region.as_str() {
            r if r.starts_with("cn-") => Self::new("aws-cn"),
            r if r.starts_with("us-gov-") => Self::new("aws-us-gov"),
            r if r.starts_with("us-iso-") => Self::new("aws-iso"),
            r if r.starts_with("us-isob-") => Self::new("aws-iso-b"),
            r if r.starts_with("eu-isoe-") => Self::new("aws-iso-e"),
            r if r.starts_with("us-isof-") => Self::new("aws-iso-f"),
            r if r.starts_with("eusc-") => Self::new("aws-eusc"),
            _ => Self::new("aws"),
        }
    }

    /// Where global services of the partition answer.
    pub fn home_region(&self) -> Region {
        Region::new(match self.as_str() {
            "aws-cn" => "cn-north-1",
            "aws-us-gov" => "us-gov-west-1",
            "aws-iso" => "us-iso-east-1",
            "aws-iso-b" => "us-isob-east-1",
            "aws-eusc" => "eusc-de-east-1",
            _ => "us-east-1",
        })
    }
}

/// The parts of an ARN, `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    pub partition: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub account: &'a str,
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Splits an ARN; anything without six parts is none.
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        if parts.next()? != "arn" {
            return None;
        }
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next()?,
        })
    }
}
