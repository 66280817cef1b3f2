#!/bin/sh
# One machine of a Ray cluster, for as long as this runs: `ray_node.sh head`, or `ray_node.sh HEAD:6379` for the others.
# More options go on to `ray start`, such as --num-cpus 8 or --node-ip-address 10.0.0.7. docs/CLUSTER.md says the rest.
set -eu
[ $# -ge 1 ] || { echo "say head, or the address of the head, such as 10.0.0.7:6379" >&2; exit 2; }
role=$1
shift

# Only who knows the token in ~/.ray/auth_token of this user is let in.
export RAY_AUTH_MODE=token
# No reports to Ray's makers, and no report that there are none.
export RAY_USAGE_STATS_ENABLED=0 RAY_USAGE_STATS_REPORT_URL=http://127.0.0.1:9/
# No questions to cloud providers: Ray itself speaks past these proxies, where nobody listens.
export http_proxy=http://127.0.0.1:9 https_proxy=http://127.0.0.1:9 no_proxy=127.0.0.1,localhost
# A stage for which there is too little memory ends after as many tries as one whose machine is lost.
export RAY_task_oom_retries=3

if [ "$role" = head ]; then
    exec ray start --head --port 6379 --include-dashboard=false --no-monitor --object-store-memory 100000000 --block "$@"
else
    exec ray start --address "$role" --object-store-memory 100000000 --block "$@"
fi
