//! The vocabulary everything else is written in: identities, times, units, what was observed and what was not.
//!
//! Nothing here knows AWS services, checks or files; this floor imports no other.

pub mod hash;
pub mod ids;
pub mod observed;
pub mod ordered;
pub mod prefix;
pub mod severity;
pub mod shard;
pub mod time;
pub mod value;
