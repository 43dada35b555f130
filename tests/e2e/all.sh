#!/bin/bash
# tests/e2e/all.sh [FILE…] [CASE…]: the cases of run.sh on a cluster with the image and the chart of this tree. A cluster
# that is up already is used and stays; one that this has created goes with it.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

if ! "$e2e/cluster.sh" status > /dev/null 2>&1; then
    trap '"$e2e/cluster.sh" down' EXIT
    # A signal ends it by the same way.
    trap 'exit 130' INT TERM
fi
"$e2e/cluster.sh" up
"$e2e/image.sh"
"$e2e/install.sh"
"$e2e/run.sh" "$@"
