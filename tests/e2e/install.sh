#!/bin/bash
# tests/e2e/install.sh [VALUE…]: installs the chart of this tree into the cluster, with the image of image.sh, and waits
# until each node has the driver. VALUEs are for Helm, such as node.downloads=8.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: make cluster"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

"$top/tests/tools.sh" helm >&2
helm=$("$top/tests/tools.sh" --where helm)
values=("image.repository=${image%:*}" "image.tag=${image#*:}" image.pullPolicy=Never controller.enabled=false "$@")

say "installing the chart"
"$helm" upgrade war-vol "$top/deploy/charts/war-vol" --install --namespace war-vol --create-namespace \
    "${values[@]/#/--set=}" > /dev/null
kubectl --namespace war-vol rollout status daemonset/war-vol-node --timeout 180s > /dev/null || {
    kubectl --namespace war-vol describe pods | tail -n 20 >&2
    kubectl --namespace war-vol logs daemonset/war-vol-node --tail 20 >&2 || true
    fail "the driver is not ready; see above"
}
say "the driver is ready"
