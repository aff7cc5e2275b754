//! Whether a service of a region is worth waiting for, once it gave no answer in several accounts in a row.
//!
//! It knows failures on the way there only: whoever answers, be it with a refusal, is there.

use std::time::{Duration, Instant};

use crate::model::ids::AccountId;
use crate::model::observed::{Unknown, Why};

/// Accounts in a row after which nobody waits any more.
const ACCOUNTS: u32 = 3;
/// After this one call tries again.
const HOLDS: Duration = Duration::from_secs(60);

/// The silence of one service in one region.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    /// Accounts in a row that got no answer.
    accounts: u32,
    last: Option<Silence>,
    /// Nobody waits until then.
    until: Option<Instant>,
}

/// What came of the last try.
#[derive(Clone, Debug)]
struct Silence {
    account: AccountId,
    why: Why,
    said: Option<String>,
}

impl Breaker {
    /// Why not to call; none to whoever may. After a while that is one caller, who tries for all.
    pub(crate) fn refusal(&mut self, now: Instant) -> Option<(Why, String)> {
        let until = self.until?;
        if now >= until {
            self.until = Some(now + HOLDS);
            return None;
        }
        let last = self.last.as_ref()?;
        let said = last.said.as_ref().map_or_else(String::new, |said| format!(": {said}"));
        Some((last.why, format!("not asked: no answer in {} accounts before{said}", self.accounts)))
    }

    /// A call got no answer, nor did its retries, while other services answered.
    pub(crate) fn unanswered(&mut self, unknown: &Unknown, account: &AccountId, now: Instant) {
        let again = self.last.as_ref().is_some_and(|last| last.account == *account);
        if !again {
            self.accounts = self.accounts.saturating_add(1);
        }
        self.last = Some(Silence { account: account.clone(), why: unknown.why, said: unknown.message.clone() });
        if self.accounts >= ACCOUNTS {
            self.until = Some(now + HOLDS);
        }
    }

    pub(crate) fn answered(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn silent(breaker: &mut Breaker, account: &str, now: Instant) {
        let unknown = Unknown::new("sagemaker:ListModels", Why::TimedOut).saying("connect timed out");
        breaker.unanswered(&unknown, &AccountId::new(account), now);
    }

    #[test]
    fn three_accounts_in_a_row_spare_the_others_the_wait() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for account in ["1", "1", "1", "2"] {
            silent(&mut breaker, account, now);
        }
        assert_eq!(breaker.refusal(now), None, "two accounts are no proof");
        silent(&mut breaker, "3", now);
        let (why, said) = breaker.refusal(now).unwrap_or_else(|| panic!("it holds"));
        assert_eq!(why, Why::TimedOut);
        assert!(said.contains("3 accounts") && said.contains("connect timed out"), "{said}");
    }

    #[test]
    fn an_answer_ends_it() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for account in ["1", "2"] {
            silent(&mut breaker, account, now);
        }
        breaker.answered();
        silent(&mut breaker, "3", now);
        assert_eq!(breaker.refusal(now), None);
    }

    #[test]
    fn after_a_while_one_tries_for_all() {
        let now = Instant::now();
        let mut breaker = Breaker::default();
        for account in ["1", "2", "3"] {
            silent(&mut breaker, account, now);
        }
        let later = now + HOLDS;
        assert_eq!(breaker.refusal(later), None);
        assert!(breaker.refusal(later).is_some(), "the others still do not wait");
        silent(&mut breaker, "4", later);
        assert!(breaker.refusal(later + Duration::from_secs(1)).is_some());
        assert_eq!(breaker.refusal(later + HOLDS), None);
        breaker.answered();
        assert_eq!(breaker.refusal(later + HOLDS), None);
        assert_eq!(breaker.refusal(later + HOLDS), None, "open for everyone");
    }
}
