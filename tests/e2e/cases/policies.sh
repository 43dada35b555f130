# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# What operators add, on the real API server. The network of the cluster that is made on the spot enforces no
# NetworkPolicy, and the kinds of the Prometheus operator are not there: those are rendered and read by tests/front.

pinned=$(printf 'sha256:%064d' 7)

# Only what this file makes is looked at, or a run that is killed would bind whatever comes after it.
demand() {
    example checksum-policy.yaml |
        sed 's#^  validationActions:.*#&\n  matchResources: { objectSelector: { matchLabels: { war-vol-e2e: policies } } }#'
}

# A pod with a volume of a driver, and its attributes: pod NAME DRIVER ATTRIBUTES [LABELS]
pod() {
    local labels=${4-"{ war-vol-e2e: policies }"}
    cat << YAML
apiVersion: v1
kind: Pod
metadata: { name: $1, labels: $labels }
spec:
  containers: [{ name: busybox, image: "busybox:1" }]
  volumes:
  - { name: other, emptyDir: {} }
  - { name: webapps, csi: { driver: $2, volumeAttributes: $3 } }
YAML
}

class() { # NAME PROVISIONER PARAMETERS
    cat << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $1, labels: { war-vol-e2e: policies } }
provisioner: $2
parameters: $3
YAML
}

# The API server's own word on what comes on stdin, with all that would look at it, and nothing is made.
would_apply() { in_space apply --dry-run=server -f - 2>&1; }

is_refused() { # WORDS COMMAND…
    local said
    said=$("${@:2}" | would_apply) && return 1
    grep -qF -- "$1" <<< "$said" || fail "refused with other words: $said"
}

# Waited for before words are looked at, which would be said to nobody here.
is_not_taken() { ! "$@" | would_apply; }

is_taken() {
    local said
    said=$("$@" | would_apply) || fail "$* is refused: $said"
}

# A policy is in force some moments after it was made, so before that nothing says that it is refused.
case_a_pod_without_a_checksum_is_refused_where_the_policy_demands_one() {
    local driver=war-vol.geektime.org url='downloadURL: https://example.com/v2/sample.war'
    local words='the volumes [webapps] have no valid checksum; add checksum: sha256:'
    since 1.30 || return 0 # ValidatingAdmissionPolicy
    is_taken pod unpinned "$driver" "{ $url }"
    trap 'demand | kubectl delete --ignore-not-found -f - > /dev/null' EXIT
    demand | kubectl apply -f - > /dev/null
    until_true 60 is_not_taken pod unpinned "$driver" "{ $url }" || fail "a pod without a checksum is not refused"
    is_refused "$words" pod unpinned "$driver" "{ $url }" || fail "a pod without a checksum is taken"
    is_refused "$words" pod empty "$driver" "{ $url, checksum: '' }" || fail "an empty checksum is taken"
    is_refused "$words" pod short "$driver" "{ $url, checksum: 'sha256:12' }" || fail "half a checksum is taken"
    is_refused "$words" pod none "$driver" '{}' || fail "a volume without attributes is taken"
    is_taken pod pinned "$driver" "{ $url, checksum: '$pinned' }"
    is_taken pod others other.example.com "{ $url }"
    is_taken pod unlabelled "$driver" "{ $url }" '{}'

    words='the class has no valid checksum; add checksum: sha256:'
    until_true 60 is_not_taken class war-vol-e2e-unpinned "$driver" "{ $url }" ||
        fail "a class without a checksum is not refused"
    is_refused "$words" class war-vol-e2e-unpinned "$driver" "{ $url }" || fail "a class without a checksum is taken"
    is_refused "$words" class war-vol-e2e-none "$driver" '{}' || fail "a class without parameters is taken"
    is_taken class war-vol-e2e-pinned "$driver" "{ $url, checksum: '$pinned' }"
    is_taken class war-vol-e2e-others other.example.com "{ $url }"
    no_expression_is_warned_of
}

# What the API server's own type check finds in the expressions.
no_expression_is_warned_of() {
    local said
    until_true 60 types_are_checked || fail "the API server has not looked at the types of the policies"
    said=$(demand | kubectl get -f - -o jsonpath='{range .items[*]}{.status.typeChecking.expressionWarnings}{end}')
    [ -z "$said" ] || fail "the API server warns: $said"
}
types_are_checked() {
    local checked
    checked=$(demand | kubectl get -f - -o jsonpath='{range .items[*]}{.status.observedGeneration}{end}')
    [ "$checked" = 11 ]
}

case_the_api_server_takes_what_the_chart_renders_for_operators() {
    local helm rendered
    "$top/tests/tools.sh" helm >&2
    helm=$("$top/tests/tools.sh" --where helm)
    rendered=$("$helm" template war-vol "$top/deploy/charts/war-vol" --namespace "$space" --kube-version 1.34.0 --set \
        'networkPolicy.enabled=true,networkPolicy.metricsFrom[0].podSelector.matchLabels.app=prometheus' \
        --set monitoring.dashboard.enabled=true \
        --show-only templates/networkpolicy.yaml --show-only templates/monitoring.yaml)
    is_taken cat <<< "$rendered"
    [ "$(grep -c '^kind: NetworkPolicy' <<< "$rendered")" = 2 ] || fail "these are not both policies: $rendered"
}
