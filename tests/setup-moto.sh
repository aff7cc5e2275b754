#!/usr/bin/env bash
# Makes the virtual environment that moto, the AWS to test against, runs in. Prints the path of its Python, alone,
# on stdout; takes about a minute the first time and none after.
#
# LOCARD_MOTO_VENV names the folder; without it there is one a set of pinned versions, in the user's cache.
set -euo pipefail

requirements="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/moto/requirements.txt"

fail() {
  echo "error: $1" >&2
  echo "help: $2" >&2
  exit 1
}

# Debian ships Python without what makes virtual environments.
if ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    echo "installing python3-venv" >&2
    { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y python3 python3-venv; } >&2 </dev/null ||
      fail "cannot install python3-venv" "install Python 3.10 or later with its venv module"
  else
    fail "python3 with its venv module is missing" "apt-get install python3-venv, or Python 3.10 or later from elsewhere"
  fi
fi
python3 -c 'import sys; sys.exit(sys.version_info < (3, 10))' ||
  fail "$(python3 --version) is too old for moto" "put Python 3.10 or later first on PATH"

digest=$(python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest()[:12])' "$requirements")
venv=${LOCARD_MOTO_VENV:-${XDG_CACHE_HOME:-$HOME/.cache}/locard/moto-$digest}
installed="$venv/installed-requirements.txt"

# Written last, so that an interrupted installation is taken up again.
if ! cmp -s "$requirements" "$installed"; then
  echo "installing moto into $venv" >&2
  [ -x "$venv/bin/python" ] || python3 -m venv "$venv" >&2
  PIP_DISABLE_PIP_VERSION_CHECK=1 "$venv/bin/python" -m pip install --quiet --no-input -r "$requirements" >&2 </dev/null ||
    fail "cannot install moto into $venv" "pip needs a package index; behind a mirror set PIP_INDEX_URL"
  cp "$requirements" "$installed"
fi
echo "$venv/bin/python"
