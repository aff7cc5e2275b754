#!/usr/bin/env bash
# Audits a small AWS organization that lives on this machine: no AWS account, no cost.
#
# Starts moto, an AWS in memory, fills it with ten accounts whose AI workloads keep good, mixed and no evidence, and
# runs `locard audit` against it as against AWS. Leaves the run in demo-out/ and stops moto.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

fail() {
  echo "error: $1" >&2
  echo "help: $2" >&2
  exit 1
}

command -v cargo >/dev/null || fail "cargo is missing" "install Rust from https://rustup.rs"
target=${CARGO_TARGET_DIR:-target}
out=demo-out
scratch=$(mktemp -d)
moto=
stop() {
  [ -z "$moto" ] || kill "$moto" 2>/dev/null || true
  [ -z "$moto" ] || wait "$moto" 2>/dev/null || true
  rm -rf "$scratch"
}
trap stop EXIT
trap 'exit 130' INT TERM

echo "building locard; the AWS SDK takes some minutes the first time" >&2
cargo build --quiet --locked --bin locard
python=$(tests/setup-moto.sh)

# The system picks a free port, and only moto's own log says which: whatever else listens here is not ours to reset.
MOTO_EC2_LOAD_DEFAULT_AMIS=false "$python" tests/moto/server.py --port 0 >"$scratch/moto.log" 2>&1 </dev/null &
moto=$!
url=
for _ in $(seq 300); do
  url=$(sed -n 's/^ \* Running on \(http:.*\)$/\1/p' "$scratch/moto.log")
  [ -z "$url" ] || break
  kill -0 "$moto" 2>/dev/null || break
  sleep 0.2
done
[ -n "$url" ] || { cat "$scratch/moto.log" >&2; fail "moto did not start" "its messages are above"; }
"$python" tests/moto/seed_org.py --endpoint-url "$url" --credentials-file "$scratch/auditor.ini" --enforce-iam \
  >"$scratch/accounts.json" || { tail -n 20 "$scratch/moto.log" >&2; fail "the organization could not be made" "its messages are above"; }

echo "+ locard audit --endpoint-url $url --out $out" >&2
rm -rf "$out"
code=0
env -u AWS_PROFILE -u AWS_ACCESS_KEY_ID -u AWS_SECRET_ACCESS_KEY -u AWS_SESSION_TOKEN -u AWS_ENDPOINT_URL \
  AWS_SHARED_CREDENTIALS_FILE="$scratch/auditor.ini" AWS_CONFIG_FILE="$scratch/none" \
  AWS_EC2_METADATA_DISABLED=true AWS_REGION=us-east-1 \
  "$target/debug/locard" audit --endpoint-url "$url" --out "$out" </dev/null || code=$?
[ "$code" -eq 0 ] || fail "locard audit ended with exit code $code" "its message is above"
[ -s "$out/report.html" ] || fail "locard audit left no $out/report.html" "its messages are above"
echo "the report: $PWD/$out/report.html" >&2
