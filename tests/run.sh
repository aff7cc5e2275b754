#!/usr/bin/env bash
# Runs every test: format, lints, the tests with and without the AWS SDK, of and against the simulated organization,
# against moto, and the demo.
#
# With arguments, runs only the tests whose names contain them: tests/run.sh moto::denials
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debug builds of the AWS SDK use deep stacks.
export RUST_MIN_STACK=8388608
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-auto}

step() { printf '\n== %s\n' "$*" >&2; }

for component in fmt clippy; do
  cargo "$component" --version >/dev/null 2>&1 || {
    echo "error: cargo $component is missing" >&2
    echo "help: rustup component add rustfmt clippy" >&2
    exit 1
  }
done

LOCARD_MOTO_PYTHON=$(tests/setup-moto.sh)
export LOCARD_MOTO_PYTHON

if [ $# -gt 0 ]; then
  exec cargo test --locked --lib --test it -- "$@"
fi

step "format"
cargo fmt --check
step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings
cargo clippy --locked --all-targets --no-default-features -- -D warnings
step "tests without the AWS SDK"
cargo test --locked --no-default-features --lib --test it
# Both packages at once: for one alone other features would be chosen, and the AWS SDK compiled a second time.
step "tests"
cargo test --locked --workspace --lib --test it
step "demo"
cargo run --locked --example demo
