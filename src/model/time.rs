//! Instants in UTC, and instants that remember when they were read.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An instant, written as RFC 3339 in UTC with seconds, the resolution of AWS configuration answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct Timestamp(i64);

impl Timestamp {
    /// Seconds since 1970-01-01T00:00:00Z.
    pub fn from_unix(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The same of seconds that someone else tells; none of those that RFC 3339 has no year for.
    pub fn told(seconds: i64) -> Option<Self> {
        // 0000-01-01T00:00:00Z to 9999-12-31T23:59:59Z.
        (-62_167_219_200..=253_402_300_799).contains(&seconds).then_some(Self(seconds))
    }

    pub fn unix(self) -> i64 {
        self.0
    }

    /// Parses RFC 3339; fractions of a second are dropped.
    pub fn parse(text: &str) -> Result<Self, String> {
        text.parse::<jiff::Timestamp>()
            .map(|t| Self(t.as_second()))
            .map_err(|e| format!("`{text}` is not an RFC 3339 time such as 2026-01-31T00:00:00Z: {e}"))
    }

    /// Seconds from `earlier` to this instant; negative when `earlier` is later.
    pub fn since(self, earlier: Timestamp) -> i64 {
        self.0 - earlier.0
    }

    /// The calendar day in UTC, `YYYY-MM-DD`.
    pub fn date(self) -> String {
        self.to_string().chars().take(10).collect()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0) {
            Ok(t) => write!(f, "{t}"),
            Err(_) => write!(f, "@{}", self.0),
        }
    }
}

impl TryFrom<String> for Timestamp {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Timestamp> for String {
    fn from(time: Timestamp) -> String {
        time.to_string()
    }
}

/// An instant that AWS told, and when the call that told it was made. Ages count between the two, so judging a
/// snapshot again a year later gives the same answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    pub at: Timestamp,
    pub read: Timestamp,
}
