# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# OpenKruise's CloneSet, with the manager of its release and the manifests of its module: what is installed for that goes
# again. Its daemon on the node, which other functions need, is left out.

# Longer than a Tomcat here takes to serve the next version.
paced=15

case_a_cloneset_changes_one_pod_after_the_other_without_recreating_any() {
    local pods before first second third
    first=$(word) second=$(word) third=$(word)
    war "$scratch/1.war" "$first"
    war "$scratch/2.war" "$second"
    war "$scratch/3.war" "$third"
    origin "v1/sample.war=$scratch/1.war" "v2/sample.war=$scratch/2.war" "v3/sample.war=$scratch/3.war"
    openkruise_runs
    example tomcat-cloneset.yaml | sed -e "s#https://example.com#$(address)#; s#minReadySeconds: .*#minReadySeconds: $paced#" \
        -e 's#^ *volumeAttributes:#&\n            settle: 0s#' | in_space apply -f - > /dev/null
    until_true 240 serve 3 "$first" || explain "the Tomcats of the CloneSet do not serve v1"
    mapfile -t pods < <(pods_of_set)
    before=$(lives_of_set)
    client shop "http://$(in_space get service shop --output jsonpath='{.spec.clusterIP}'):8080/"
    until_true 60 has_asked shop 20 || explain "nobody asks the CloneSet"

    # One at first, as its partition says, and then the others.
    change v2 2
    until_true 120 serve 1 "$second" || explain "no pod serves v2"
    until_true $((4 * paced)) is_updated 1 || explain "the CloneSet does not say that one pod is updated and available"
    serve 1 "$second" && serve 2 "$first" || fail "other pods than one have changed, although the partition says so"
    change v2 0
    until_true 240 serve 3 "$second" || explain "not all pods serve v2"
    until_true $((4 * paced)) is_updated 3 || explain "the CloneSet does not say that three pods are updated and available"

    change v3 0
    until_true 240 serve 3 "$third" || explain "not all pods serve v3"
    were_paced /v3/ "${pods[@]}"
    [ "$(lives_of_set)" = "$before" ] || fail "a pod or its container was restarted: $before, now $(lives_of_set)"
    say "$(answers shop ok) answers, $(answers shop lost) lost"
    [ "$(answers shop lost)" = 0 ] || fail "answers were lost: $(in_space exec client-shop -- tail -n 5 /tmp/why)"
}

pods_of_set() { in_space get pods --selector app=shop --output name | sed 's#.*/##'; }

serve() { # HOW-MANY WORD
    local pod serving=0
    for pod in $(pods_of_set); do
        if page "$pod" "" 2> /dev/null | grep -q "$2"; then serving=$((serving + 1)); fi
    done
    [ "$serving" = "$1" ]
}

change() { # VERSION PARTITION
    in_space patch clonesets.apps.kruise.io shop --type merge --patch "{\"spec\": {
        \"updateStrategy\": {\"partition\": $2},
        \"template\": {\"metadata\": {\"annotations\": {\"example.com/version\": \"$1\"}}}}}" > /dev/null
}

is_updated() { # HOW-MANY
    [ "$(in_space get clonesets.apps.kruise.io shop --output jsonpath='{.status.updatedAvailableReplicas}')" = "$1" ]
}

# From the events of the pods: when each of them got what has that in its URL.
were_paced() { # WORDS POD…
    local pod at last=0
    for pod in "${@:2}"; do
        in_space get events --field-selector "involvedObject.name=$pod,reason=ArtifactUpdated" \
            --output jsonpath='{range .items[*]}{.eventTime} {.message}{"\n"}{end}' |
            grep "now [^ ]*$1" | cut -d' ' -f1 || fail "no event says that $pod has got $1"
    done | sort > "$scratch/times"
    [ "$(wc -l < "$scratch/times")" = $(($# - 1)) ] || fail "not each pod has one event: $(cat "$scratch/times")"
    while read -r at; do
        at=$(date --date "$at" +%s)
        [ $((at - last)) -ge $((paced - 1)) ] || fail "two pods changed within $((at - last)) s: $(cat "$scratch/times")"
        last=$at
    done < "$scratch/times"
}

# What changes with every restart, of all of them.
lives_of_set() {
    in_space get pods --selector app=shop --output \
        jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\n"}{end}'
}

openkruise_runs() {
    local version module
    version=$("$e2e/offline/binaries.sh" --version kruise)
    "$e2e/cluster.sh" make "openkruise/kruise-manager:v$version"
    module=$(go -C "$e2e/offline/modules/kruise" mod download -json github.com/openkruise/kruise | jq -r .Dir)
    kubectl kustomize "$module/config/default" 2> /dev/null | without_daemon |
        sed -e "s#image: controller:latest#image: openkruise/kruise-manager:v$version#; s#imagePullPolicy: Always#imagePullPolicy: IfNotPresent#" \
            -e 's#feature-gates=.*#feature-gates=KruiseDaemon=false#' > "$scratch/openkruise.yaml"
    trap remove_openkruise EXIT
    say "installing OpenKruise $version"
    kubectl apply --server-side -f "$scratch/openkruise.yaml" > /dev/null
    kubectl --namespace kruise-system rollout status deployment/kruise-controller-manager --timeout 240s > /dev/null || {
        kubectl --namespace kruise-system logs deployment/kruise-controller-manager --tail 20 >&2
        fail "OpenKruise does not start; see above"
    }
}

# Documents of YAML on stdin.
without_daemon() {
    awk 'BEGIN { RS = "---\n"; ORS = "---\n" } !/(^|\n)kind: DaemonSet\n/'
}

# The set before its manager, which has to let go of the pods; and the webhooks before what answers them.
remove_openkruise() {
    in_space delete clonesets.apps.kruise.io --all --wait --timeout 60s > /dev/null 2>&1 || true
    kubectl delete mutatingwebhookconfigurations,validatingwebhookconfigurations --ignore-not-found \
        kruise-mutating-webhook-configuration kruise-validating-webhook-configuration > /dev/null 2>&1 || true
    kubectl delete -f "$scratch/openkruise.yaml" --ignore-not-found --wait --timeout 120s > /dev/null 2>&1 || true
}
