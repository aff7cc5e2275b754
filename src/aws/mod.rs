//! Talking to AWS: clients, sessions, how calls go and how fast, what guards and counts them, what their errors mean.
//!
//! What is asked, and which facts the answers become, is in `collect`.

mod answer;
mod breaker;
pub(crate) mod call;
pub(crate) mod classify;
pub(crate) mod client;
pub(crate) mod ground;
mod imitation;
pub mod ledger;
#[cfg(test)]
mod likeness;
mod pace;
pub(crate) mod request;
pub(crate) mod session;
mod signature;
pub mod stop;
pub mod store;
#[cfg(test)]
mod tests;
pub(crate) mod turns;
pub(crate) mod wire;
