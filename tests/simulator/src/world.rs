//! Everything a call can see: the estate, the sessions made in it, the objects put into its buckets.
//!
//! What the estate consists of is in `estate`.

use jiff::Timestamp;

use crate::estate::Estate;

/// The simulated world of one server.
pub(crate) struct World {
    pub(crate) estate: Estate,
    /// When the server started: relative times of the estate count from it.
    pub(crate) started: Timestamp,
}
