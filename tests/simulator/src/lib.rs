//! An AWS organization in memory, served over HTTP: size, latency, rate limits, faults and a journal of every request.
//!
//! It imitates what locard reads of AWS; nothing of it is part of locard itself.

mod access;
pub mod bare;
pub mod estate;
pub mod faults;
mod hash;
pub mod journal;
pub mod limits;
mod server;
mod services;
mod wire;
mod world;

pub use estate::Estate;
pub use server::{Credentials, Running, Settings, start};
