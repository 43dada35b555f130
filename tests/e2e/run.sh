#!/bin/bash
# tests/e2e/run.sh [CASE…]: what only a real kubelet shows, on the cluster that is up, with the chart of this tree.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source-path=SCRIPTDIR source=wars.sh
source "$e2e/wars.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: make cluster"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"

space=war-vol-e2e
scratch=$(mktemp -d)
in_space() { kubectl --namespace "$space" "$@"; }

clean() {
    kubectl delete namespace "$space" war-vol-artifacts --ignore-not-found --wait --timeout 120s > /dev/null
}
trap 'rm -rf "$scratch"' EXIT

# What a pod says when it does not come up.
explain() {
    in_space get events --sort-by .lastTimestamp | tail -n 15 >&2
    kubectl --namespace war-vol logs daemonset/war-vol-node --tail 15 | cut -c1-400 >&2
    fail "$1; see above"
}

is_ready() { in_space wait "pod/$1" --for condition=Ready --timeout 120s > /dev/null || explain "the pod $1 is not ready"; }
says() { page "$space" "$1" "$2" | grep -q "$3" || fail "$1 does not serve $3 at $2"; }
event_says() { in_space get events -o jsonpath='{range .items[*]}{.message}{"\n"}{end}' | grep -q "$1"; }

# A Tomcat that never knew the WAR serves it, and the YAML alone says which version.
case_tomcat_serves_the_war_that_the_yaml_names() {
    local first second
    first=$(word) second=$(word)
    war "$scratch/one.war" "$first"
    war "$scratch/two.war" "$second"
    "$top/tests/tools.sh" war >&2
    "$e2e/artifacts.sh" "sample.war=$scratch/one.war" "next.war=$scratch/two.war" \
        "jolokia.war=$("$top/tests/tools.sh" --where war)"
    example tomcat-inline.yaml | in_space apply -f - > /dev/null
    is_ready sample
    says sample sample/ "$first"
    example tomcat-inline.yaml | sed 's#/sample.war#/next.war#; s#name: sample#name: next#; s#/sample/#/next/#' |
        in_space apply -f - > /dev/null
    is_ready next
    says next next/ "$second"
    says sample sample/ "$first"
}

# A real WAR of Maven Central, pinned by its digest.
case_a_real_war_is_deployed() {
    local digest
    digest=$(sha256sum < "$("$top/tests/tools.sh" --where war)" | cut -d' ' -f1)
    example tomcat-inline.yaml | sed "s#/sample.war#/jolokia.war\n        checksum: sha256:$digest#; s#name: sample#name: real#; s#path: /sample/#path: /jolokia/version#" |
        in_space apply -f - > /dev/null
    # It wants a user, where what is not deployed is not found.
    until_true 120 jolokia_wants_a_user || explain "jolokia does not answer"
}
jolokia_wants_a_user() {
    local answer
    answer=$(in_space exec real -- wget -S -O - http://127.0.0.1:8080/jolokia/version 2>&1 || true)
    grep -q 'HTTP/1.1 401' <<< "$answer"
}

# A mount that fails explains itself in the pod's events, and the pod starts by itself once the cause is mended.
case_a_failed_mount_says_why_and_mends_itself() {
    local token
    token=$(word)
    example tomcat-inline.yaml | sed 's#/sample.war#/late.war#; s#name: sample#name: late#; s#/sample/#/late/#' |
        in_space apply -f - > /dev/null
    until_true 60 event_says 'answered 404' || explain "no event says that the origin answered 404"
    war "$scratch/late.war" "$token"
    "$e2e/artifacts.sh" "sample.war=$scratch/one.war" "late.war=$scratch/late.war"
    is_ready late
    says late late/ "$token"
}

# When the pods are gone, so is everything of theirs.
case_nothing_is_left_when_the_pods_are_gone() {
    local node_pod
    in_space delete pods --all --wait --timeout 120s > /dev/null
    [ -n "${WAR_VOL_NODE-}" ] || return 0
    node_pod=$(docker exec "$WAR_VOL_NODE" sh -c 'grep -c war-vol: /proc/1/mountinfo || true')
    [ "$node_pod" = 0 ] || fail "$node_pod mounts are left in the node"
    until_true 30 no_volume_is_left || fail "directories of volumes are left in the node"
}
no_volume_is_left() { [ -z "$(docker exec "$WAR_VOL_NODE" sh -c 'ls /var/lib/war-vol/v1/volumes /var/lib/war-vol/v1/trash | grep -v :' | tr -d '\n')" ]; }

all=$(declare -F | sed -n 's/^declare -f case_//p')
# In the order of this file.
mapfile -t cases < <(grep -o '^case_[a-z_]*' "${BASH_SOURCE[0]}" | sed 's/^case_//')
[ $# -eq 0 ] || cases=("$@")
clean
kubectl create namespace "$space" > /dev/null
for case in "${cases[@]}"; do
    grep -qx "$case" <<< "$all" || fail "there is no case $case; there are: $(tr '\n' ' ' <<< "$all")"
    "case_$case"
    say "ok: ${case//_/ }"
done
clean
say "${#cases[@]} cases passed"
