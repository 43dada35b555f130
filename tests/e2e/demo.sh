#!/bin/bash
# tests/e2e/demo.sh: a Tomcat that never knew the WAR serves it, in a cluster of its own; prints what to try next.
#
# Only what that page needs is built or fetched: no Helm, no provisioner, no bill of materials, and a driver that was
# compiled in a hurry. `make e2e` puts the whole of it in its place.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source-path=SCRIPTDIR source=wars.sh
source "$e2e/wars.sh"
# shellcheck source-path=SCRIPTDIR source=pods.sh
source "$e2e/pods.sh"

images=(busybox:1 tomcat:9-jre17)
# shellcheck disable=SC2034 # the words of pods.sh mean it
space=war-vol-demo
scratch=$(mktemp -d)
trap 'cleanup' EXIT
cleanup() {
    local job
    # Each in the background is a group of its own, so that nothing of it is left.
    for job in $(jobs -p); do kill -- "-$job" 2> /dev/null || true; done
    rm -rf "$scratch"
}

# Beside what is only waited for: a node that is pulled, and images.
in_background() { # NAME COMMAND…
    local name=$1
    shift
    set -m
    (
        trap 'echo $? > "$scratch/$name.status.new"; times > "$scratch/$name.times"
            mv "$scratch/$name.status.new" "$scratch/$name.status"' EXIT
        "$@"
    ) > "$scratch/$name.log" 2>&1 < /dev/null &
    set +m
}

from_background() { # NAME
    until [ -e "$scratch/$1.status" ]; do sleep 0.1; done
    cat "$scratch/$1.log"
    cp "$scratch/$1.times" "$steps/times.$1"
    return "$(cat "$scratch/$1.status")"
}

# Where images can be pulled, kubelet would begin with it only when the volume is there.
pull_images() {
    local name
    for name in "${images[@]}"; do docker exec "$WAR_VOL_NODE" crictl pull "docker.io/library/$name" || true; done
}

# What the chart renders for the nodes, with the image that was built here. How full this machine is, is nobody's fault.
manifests() {
    local built
    built=$(docker image inspect -f '{{.Id}}' "$quick_image" 2> /dev/null || true)
    awk 'BEGIN { RS = ORS = "---\n" } !/\n  name: war-vol-(controller|provisioner)\n/' "$top/deploy/kubernetes/war-vol.yaml" |
        sed -e "s#image: war-vol:.*#image: $quick_image#" -e 's#--keep-free=.*#--keep-free=1%#' \
            -e '/^  template:/{n;s#$#\n      annotations: { image: "'"${built:-unknown}"'" }#}'
}

install() {
    kubectl get namespace war-vol > /dev/null 2>&1 || kubectl create namespace war-vol
    manifests | kubectl apply --server-side --force-conflicts -f -
}

driver_is_ready() {
    kubectl --namespace war-vol rollout status daemonset/war-vol-node --timeout 180s || {
        kubectl --namespace war-vol describe pods | tail -n 20
        kubectl --namespace war-vol logs daemonset/war-vol-node --tail 20 || true
        fail "the driver is not ready; see above"
    }
}

# The origin's image is pulled while the driver starts.
start_driver_and_origin() {
    install
    kubectl get namespace "$space" > /dev/null 2>&1 || kubectl create namespace "$space"
    origin "sample.war=$scratch/sample.war"
    driver_is_ready
}

start_tomcat() {
    in_space delete pod sample --ignore-not-found --wait
    example tomcat-inline.yaml | in_space apply -f -
    in_space wait pod/sample --for condition=Ready --timeout 300s || {
        in_space describe pod sample | tail -n 20
        fail "the pod is not ready; see above"
    }
    page sample sample/ > "$scratch/page"
    grep -q "$token" "$scratch/page" || {
        cat "$scratch/page"
        fail "the page does not contain $token"
    }
}

# Shown in the cluster's step, and after it.
export WAR_VOL_STEPS_AFTER=4
steps_left 1
builds_beside=no
if [ -z "${WAR_VOL_KUBECONFIG-}" ] && timeout 10 docker version > /dev/null 2>&1; then
    builds_beside=yes
    in_background driver "$e2e/image.sh" --quick --build
fi
"$e2e/cluster.sh" up "${images[@]}"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
if [ -n "${WAR_VOL_NODE-}" ]; then in_background images pull_images; fi
WAR_VOL_STEPS_AFTER=0
steps_left 4
if [ $builds_beside = yes ]; then
    step "building the driver" from_background driver
else
    step "building the driver" "$e2e/image.sh" --quick --build
fi
step "loading its image into the cluster" "$e2e/image.sh" --quick
token=$(word)
war "$scratch/sample.war" "$token"
step "starting the driver, and a server with a new WAR" start_driver_and_origin
step "starting a Tomcat without the WAR in its image" start_tomcat

printf '\nTomcat serves this page:\n\n%s\n' "$(cat "$scratch/page")"
printf '\nOutput of kubectl -n %s describe pod sample:\n\n' "$space"
in_space describe pod sample | sed -n '/^Volumes:/,/^  kube-api/p; /^Events:/,$p'
cat << WORDS

To use the cluster in this shell:  source $exports
  kubectl get pods -A
  kubectl -n $space exec sample -- ls -l /usr/local/tomcat/webapps
  kubectl -n war-vol exec daemonset/war-vol-node -- war-vol volumes
  kubectl apply -f deploy/examples/tomcat-inline.yaml    # after setting your own URL in it
To remove everything:  make demo-down

$(steps_took). Their output: $steps/log
WORDS
