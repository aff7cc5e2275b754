//! Starts the simulated organization.

fn main() {}
