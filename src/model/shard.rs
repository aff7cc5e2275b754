//! A share of an organization's accounts, so that several machines can read it at once. Which machine reads which share
//! is not decided here.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::ids::AccountId;

/// One of so many shares, written `3/8`. An account is in the share of the remainder of the SHA-256 of its twelve
/// digits, read as a big-endian number, plus one: it stays there whatever accounts come and go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Shard {
    index: u32,
    of: u32,
}

/// As many as a job array may have (<https://docs.aws.amazon.com/batch/latest/userguide/array_jobs.html>).
const MOST: u32 = 10_000;

impl Shard {
    /// Parses `I/N`, counted from one.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is not a shard such as 3/8: from 1/N to N/N, with N at most {MOST}");
        let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u32>().ok()).flatten();
        let (index, of) = text.split_once('/').ok_or_else(wrong)?;
        match (plain(index), plain(of)) {
            (Some(index), Some(of)) if (1..=MOST).contains(&of) && (1..=of).contains(&index) => Ok(Self { index, of }),
            _ => Err(wrong()),
        }
    }

    /// The shard an account is in, of so many.
    pub fn of_account(account: &AccountId, of: u32) -> Self {
        let of = of.max(1);
        let digest = Sha256::digest(account.as_str().as_bytes());
        let remainder = digest.iter().fold(0_u64, |rest, byte| ((rest << 8) | u64::from(*byte)) % u64::from(of));
        // Less than `of`, which fits.
        let index = u32::try_from(remainder).unwrap_or(0) + 1;
        Self { index, of }
    }

    /// Whether an account is in it.
    pub fn holds(self, account: &AccountId) -> bool {
        Self::of_account(account, self.of) == self
    }

    /// Counted from one.
    pub fn index(self) -> u32 {
        self.index
    }

    /// How many there are.
    pub fn of(self) -> u32 {
        self.of
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.index, self.of)
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> String {
        shard.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_written_from_one_to_n() {
        for good in ["1/1", "3/8", "10000/10000"] {
            assert_eq!(Shard::parse(good).map(|shard| shard.to_string()), Ok(good.to_owned()));
        }
        for bad in ["0/8", "9/8", "1/0", "1/10001", "1", "/8", "1/", "+1/8", "1/8/2", " 1/8", "a/b", "-1/8"] {
            assert!(Shard::parse(bad).is_err(), "{bad}");
        }
    }

    /// `python3 -c 'import hashlib; print(int(hashlib.sha256(b"111122223333").hexdigest(), 16) % 8 + 1)'`
    #[test]
    fn anyone_can_tell_the_shard_of_an_account() {
        let of = |account: &str, of| Shard::of_account(&AccountId::from(account), of).to_string();
        assert_eq!(of("111122223333", 8), "3/8");
        assert_eq!(of("012345678901", 1000), "557/1000");
        assert_eq!(of("012345678901", 1), "1/1");
    }

    #[test]
    fn shards_part_the_accounts_evenly() {
        let mut counts = [0_u32; 8];
        for number in 0..8000_u64 {
            let account = AccountId::new(format!("{:012}", 100_000_000_000 + number * 7919));
            let shard = Shard::of_account(&account, 8);
            assert!(shard.holds(&account));
            counts[shard.index() as usize - 1] += 1;
        }
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
    }
}
