//! Everything a call can see: the estate, the sessions made in it, the objects put into its buckets.
//!
//! What the estate consists of is in `estate`.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::access::sessions::Sessions;
use crate::estate::Estate;
use crate::services::objects::Objects;

/// The simulated world of one server.
pub(crate) struct World {
    pub(crate) estate: Estate,
    pub(crate) sessions: Sessions,
    pub(crate) objects: Objects,
    /// Longest a session lasts, whatever is asked for.
    pub(crate) longest_session: Option<Duration>,
    /// How far the server's clock is ahead of this machine's.
    pub(crate) ahead: SignedDuration,
}

impl World {
    pub(crate) fn now(&self) -> Timestamp {
        let now = Timestamp::now();
        now.checked_add(self.ahead).unwrap_or(now)
    }
}
