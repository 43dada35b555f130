#!/bin/bash
# tests/e2e/demo.sh: a Tomcat that never knew the WAR serves it, and the next one without a restart, in a cluster of its own;
# prints what to try next.
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
    origin "v1/sample.war=$scratch/v1.war" "v2/sample.war=$scratch/v2.war"
    driver_is_ready
}

start_tomcat() {
    in_space delete pod upgraded client-demo --ignore-not-found --wait
    example tomcat-upgrade.yaml | sed "s#https://example.com#$(address)#" | in_space apply -f -
    in_space wait pod/upgraded --for condition=Ready --timeout 300s || {
        in_space describe pod upgraded | tail -n 20
        fail "the pod is not ready; see above"
    }
    page upgraded "" > "$scratch/page1"
    grep -q "$one" "$scratch/page1" || {
        cat "$scratch/page1"
        fail "the page does not contain $one"
    }
}

# Somebody asks all the while.
change_version() {
    local asked
    client demo "http://$(in_space get pod upgraded --output jsonpath='{.status.podIP}'):8080/"
    until_true 60 has_asked demo 20 || fail "the client gets no answers"
    lives upgraded > "$scratch/lives1"
    in_space patch secret sample-release --patch '{"stringData":{"version":"v2"}}'
    # kubelet looks at the Secret again at once when something of the pod has changed.
    in_space annotate pod upgraded --overwrite wanted=v2
    until_true 180 says upgraded "" "$two" || {
        in_space describe pod upgraded | tail -n 20
        kubectl --namespace war-vol logs daemonset/war-vol-node --tail 20 || true
        fail "Tomcat does not serve the new version; see above"
    }
    page upgraded "" > "$scratch/page2"
    asked=$(answers demo ok)
    until_true 60 has_asked demo $((asked + 40)) || fail "the client gets no answers any more"
    lives upgraded > "$scratch/lives2"
    answers demo ok > "$scratch/ok"
    answers demo lost > "$scratch/lost"
    in_space delete pod client-demo
}

# Shown in the cluster's step, and after it.
export WAR_VOL_STEPS_AFTER=5
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
steps_left 5
if [ $builds_beside = yes ]; then
    step "building the driver" from_background driver
else
    step "building the driver" "$e2e/image.sh" --quick --build
fi
step "loading its image into the cluster" "$e2e/image.sh" --quick
one=$(word) two=$(word)
war "$scratch/v1.war" "$one"
war "$scratch/v2.war" "$two"
step "starting the driver, and a server with two new WARs" start_driver_and_origin
step "starting a Tomcat without a WAR in its image" start_tomcat
step "changing the WAR while the Tomcat runs" change_version

printf '\nTomcat serves this page:\n\n  %s\n' "$(cat "$scratch/page1")"
cat << WORDS

The version is a key of a Secret. After these commands (the second one only saves kubelet's minute)

  kubectl -n $space patch secret sample-release -p '{"stringData":{"version":"v2"}}'
  kubectl -n $space annotate pod upgraded --overwrite wanted=v2

the same Tomcat serves this one:

  $(cat "$scratch/page2")

  container before   $(cut -d' ' -f2 "$scratch/lives1" | cut -c1-32)…
  container after    $(cut -d' ' -f2 "$scratch/lives2" | cut -c1-32)…
  restarts           $(cut -d' ' -f3 "$scratch/lives2")
  requests           $(cat "$scratch/ok") answered meanwhile, $(cat "$scratch/lost") failed

Output of kubectl -n $space describe pod upgraded:

$(in_space describe pod upgraded | sed -n '/^Volumes:/,/^  kube-api/p; /^Events:/,$p')

To use the cluster in this shell:  source $exports
  kubectl get pods -A
  kubectl -n $space exec upgraded -- ls -l /usr/local/tomcat/webapps
  kubectl -n war-vol exec daemonset/war-vol-node -- war-vol volumes
  kubectl apply -f deploy/examples/tomcat-inline.yaml    # after setting your own URL in it
To remove everything:  make demo-down

$(steps_took). Their output: $steps/log
WORDS
[ "$(cat "$scratch/lives1")" = "$(cat "$scratch/lives2")" ] || fail "the pod or its container was restarted"
[ "$(cat "$scratch/lost")" = 0 ] || fail "requests failed while the version changed"
