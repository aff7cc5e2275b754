#!/usr/bin/env bash
# Audits a simulated organization under faults mixed at random: 200 runs, or so many, from a seed on; and kills 20 runs at
# random moments, each gone on with. A run that goes wrong prints its plan and what should not be.
#
#   tests/faults.sh [RUNS] [FIRST_SEED] [KILLS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Debug builds of the AWS SDK use deep stacks.
export RUST_MIN_STACK=8388608
export LOCARD_FAULT_RUNS=${1:-200} LOCARD_FAULT_FIRST_SEED=${2:-1}
export LOCARD_KILLS=${3:-20} LOCARD_FIRST_KILL=${2:-1}

cargo test --locked --test it -- --nocapture faults::faults_mixed_at_random sweep::a_run_that_is_killed
