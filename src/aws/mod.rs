//! Talking to AWS: clients, sessions, what guards and counts their calls, and what their errors mean.
//!
//! What is asked, and which facts the answers become, is in `collect`.

pub(crate) mod classify;
pub(crate) mod client;
mod imitation;
pub(crate) mod interceptor;
pub mod ledger;
pub(crate) mod session;
pub mod store;
#[cfg(test)]
mod tests;
