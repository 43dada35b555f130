#!/bin/bash
# tests/e2e/install.sh [VALUE…]: installs the chart of this tree into the cluster, with the image of image.sh, and waits
# until each node has the driver and the controller is there. VALUEs are for Helm, such as node.downloads=8.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: make cluster"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

"$top/tests/tools.sh" helm >&2
helm=$("$top/tests/tools.sh" --where helm)
built=$(docker image inspect -f '{{.Id}}' "$image" 2> /dev/null || true)
values=(
    "image.repository=${image%:*}" "image.tag=${image#*:}" image.pullPolicy=Never
    # So that they elect a leader, and soon another one.
    controller.replicas=2
    "controller.provisioner.extraArgs={$(
        printf -- '--leader-election-%s,' lease-duration=6s renew-deadline=4s retry-period=1s
    )--retry-interval-max=5s}"
    flexVolume.enabled=true node.startupTaint.enabled=true node.upgrade.enabled=true
    # Another image under the same name is another driver.
    "node.podAnnotations.image=${built:-unknown}" "controller.podAnnotations.image=${built:-unknown}"
    node.keepFree=1% # how full this machine is, is nobody's fault; kind's kubelet evicts nobody for it either
    "$@"
)

is_ready() { # WORKLOAD
    kubectl --namespace war-vol rollout status "$1" --timeout 180s > /dev/null || {
        kubectl --namespace war-vol describe pods | tail -n 20 >&2
        kubectl --namespace war-vol logs "$1" --all-containers --tail 20 >&2 || true
        fail "$1 is not ready; see above"
    }
}

say "installing the chart"
# What the demo has installed without Helm becomes Helm's.
"$helm" upgrade war-vol "$top/deploy/charts/war-vol" --install --namespace war-vol --create-namespace --take-ownership \
    "${values[@]/#/--set=}" > /dev/null
is_ready daemonset/war-vol-node
controller=$(kubectl --namespace war-vol get deployments --output name)
[ -z "$controller" ] || is_ready "$controller"
say "the driver is ready"
