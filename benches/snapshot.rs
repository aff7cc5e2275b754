//! Writes the snapshot of a made-up organization, to measure the binary with: `cargo bench --bench snapshot -- DIR
//! ACCOUNTS [management-locked] [ai-everywhere]`. What it holds is decided by `tests/synthetic`.

#[path = "../tests/synthetic/mod.rs"]
mod synthetic;

use std::path::Path;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let [dir, accounts, rest @ ..] = args.as_slice() else { return };
    let accounts = accounts.parse().expect("a number of accounts");
    let mut organization = synthetic::Synthetic::new(accounts);
    organization.management_locked = rest.iter().any(|arg| arg == "management-locked");
    if rest.iter().any(|arg| arg == "ai-everywhere") {
        organization.ai_one_in = 1;
    }
    let digest = organization.write(Path::new(dir)).expect("the disk takes it");
    eprintln!("{digest}");
}
