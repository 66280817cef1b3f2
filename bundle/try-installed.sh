#!/usr/bin/env bash
# try-installed.sh ENVIRONMENT CASE: an installed Preceptor, in a folder of its own, on the table and the tiny model of CASE.
set -euo pipefail
bin=$(realpath "$1")/bin
case=$(realpath "$2")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export XDG_DATA_HOME="$folder/data" # where it is kept how often held-out cases were looked at

"$bin/python" -c 'import preceptor; print("preceptor", preceptor.__version__, "in", preceptor.__file__)'
"$bin/preceptor" tasks
"$bin/preceptor" examples
"$bin/preceptor" examples ktas_triage
"$bin/preceptor" models
"$bin/preceptor" docs --output-dir pages
test -s pages/docs/README.html
cp "$case/notes.csv" .
"$bin/preceptor" new notes.csv --text note --target urgency --group patient
"$bin/preceptor" check notes.study.yaml --model "$case/model"
"$bin/preceptor" study notes.study.yaml --model "$case/model" --output-dir run
"$bin/preceptor" report run
test -s run/report.html
"$bin/preceptor" purge run --yes
