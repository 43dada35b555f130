#!/bin/bash
# tests/e2e/uninstall.sh: removes the chart that install.sh installed, if it is there, and waits until its pods are gone.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: make cluster"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

"$top/tests/tools.sh" helm >&2
"$("$top/tests/tools.sh" --where helm)" uninstall war-vol --namespace war-vol --ignore-not-found --wait > /dev/null
kubectl --namespace war-vol wait pods --all --for delete --timeout 120s > /dev/null
say "the chart is uninstalled"
