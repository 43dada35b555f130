# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A Tomcat that runs serves another WAR, and nothing of its pod is restarted.

case_a_running_tomcat_serves_the_next_war_without_a_restart() {
    local first second before
    first=$(word) second=$(word)
    war "$scratch/one.war" "$first"
    war "$scratch/two.war" "$second"
    origin "v1/sample.war=$scratch/one.war" "v2/sample.war=$scratch/two.war"
    upgraded_example | in_space apply -f - > /dev/null
    is_ready upgraded
    says upgraded "" "$first"
    before=$(lives upgraded)
    wanted v2 upgraded
    until_true 90 serves upgraded "" "$second" || explain "the running Tomcat does not serve the next WAR"
    [ "$(lives upgraded)" = "$before" ] || fail "the pod or its container was restarted: $before, now $(lives upgraded)"
}

# Back to the version before, with a server that is gone; and a version that does not exist changes nothing.
case_going_back_needs_no_server_and_a_missing_version_changes_nothing() {
    local before
    before=$(lives upgraded)
    wanted v3 upgraded
    until_true 60 driver_says 'keeps its content.*v3/sample.war' || explain "the driver's log does not say why v3 is not shown"
    [ "$(lives upgraded)" = "$before" ] || fail "the pod was restarted"
    in_space scale deployment/origin --replicas 0 > /dev/null
    wanted v1 upgraded
    until_true 120 shows_files 3 || explain "the version before is not shown again"
    in_space scale deployment/origin --replicas 1 > /dev/null
    [ "$(lives upgraded)" = "$before" ] || fail "the pod or its container was restarted"
}

# The version is an annotation of the pod; its own label says where; nothing else of the pod changes.
case_an_annotation_of_the_pod_says_which_version_it_sees() {
    versions
    waiting_pod noted "" "" "artifact=$(inline "v\${pod.annotations['example.com/version']}/thing.bin" 'settle: "0s"' 'readOnly: true')" |
        sed "s#metadata: { name: noted }#metadata: { name: noted, annotations: { example.com/version: '1' } }#" |
        in_space apply -f - > /dev/null
    is_ready noted
    has noted thing.bin "$scratch/1.bin"
    in_space annotate pod noted --overwrite example.com/version=2 > /dev/null
    until_true 20 has noted thing.bin "$scratch/2.bin" || explain "the pod does not see the version of its annotation"
    until_true 20 event_says 'volume artifact: now .*/v2/thing.bin .*, before .*/v1/thing.bin' noted ||
        explain "no event says that the content changed"
    in_space annotate pod noted --overwrite example.com/version=3 > /dev/null
    # One event, that says how often.
    until_true 60 failed_again noted || explain "no event says again and again that the version does not exist"
    has noted thing.bin "$scratch/2.bin"
}
failed_again() {
    in_space get events.events.k8s.io --output json | jq -e --arg pod "$1" '[.items[]
        | select(.regarding.name == $pod and .reason == "ArtifactUpdateFailed" and (.note | test("v3/thing.bin.*404")))]
        | length == 1 and .[0].series.count >= 2' > /dev/null
}

# A version that makes the pod unready is rolled back, and is not tried again when something else of the pod changes.
case_a_version_that_makes_a_pod_unready_is_rolled_back() {
    local before probe
    echo good > "$scratch/good"
    echo bad > "$scratch/bad"
    echo better > "$scratch/better"
    origin "v1/word=$scratch/good" "v2/word=$scratch/bad" "v3/word=$scratch/better"
    probe="readinessProbe: { periodSeconds: 1, failureThreshold: 1, exec: { command: [sh, -c, '! grep bad /artifact/word'] } }"
    waiting_pod judged "" "$probe" \
        "artifact=$(inline "v\${pod.annotations['example.com/version']}/word" 'settle: "0s", rollback: "10s"' 'readOnly: true')" |
        sed "s#metadata: { name: judged }#metadata: { name: judged, annotations: { example.com/version: '1' } }#" |
        in_space apply -f - > /dev/null
    is_ready judged
    before=$(lives judged)
    in_space annotate pod judged --overwrite example.com/version=2 > /dev/null
    until_true 20 has judged word "$scratch/bad" || explain "the pod does not see the next version"
    until_true 60 has judged word "$scratch/good" || explain "the pod does not get back what it had"
    until_true 20 event_says "back to .*/v1/word .*: the pod was not Ready within 10s (containers with unready status: \[waiting\])" \
        judged || explain "no event says why"
    is_ready judged
    in_space annotate pod judged example.com/other=1 > /dev/null
    has judged word "$scratch/good"
    in_space annotate pod judged --overwrite example.com/version=3 > /dev/null
    until_true 20 has judged word "$scratch/better" || explain "another version is not shown"
    [ "$(lives judged)" = "$before" ] || fail "the pod or its container was restarted"
}

# The version is an annotation of a claim, and two pods share it; kubelet publishes nothing when a claim changes.
case_an_annotation_of_the_claim_says_which_version_its_pods_see() {
    local pod
    versions
    claim_with_a_version | in_space apply -f - > /dev/null
    for pod in shared-1 shared-2; do
        waiting_pod "$pod" "" "" "artifact:ro=persistentVolumeClaim: { claimName: versioned, readOnly: true }" | in_space apply -f - > /dev/null
    done
    for pod in shared-1 shared-2; do
        is_ready "$pod"
        has "$pod" thing.bin "$scratch/1.bin"
    done
    in_space annotate pvc versioned --overwrite example.com/version=2 > /dev/null
    for pod in shared-1 shared-2; do
        until_true 20 has "$pod" thing.bin "$scratch/2.bin" || explain "$pod does not see the version of its claim"
    done
}

# Of the sample: what the driver's token may write is events of the driver, about pods, in the name of its own node.
case_the_sample_policy_binds_events_to_the_node_of_the_driver() {
    local bound loose node
    since 1.32 || return 0 # a token says which node it is of
    trap 'events_policy delete --ignore-not-found' EXIT
    node=$(kubectl --namespace war-vol get pod "$(driver_pod)" --output jsonpath='{.spec.nodeName}')
    bound=$(driver_token --bound-object-kind Pod --bound-object-name "$(driver_pod)")
    loose=$(driver_token)
    events_policy apply
    until_true 60 is_denied 'events of its own node' "$loose" create --filename "$(event_of "$node" Pod)" ||
        fail "a token of no node may write an event"
    is_denied 'events of its own node' "$bound" create --filename "$(event_of other Pod)" || fail "another node's event is taken"
    is_denied 'own events about pods' "$bound" create --filename "$(event_of "$node" Service)" || fail "an event of a Service is taken"
    with_token "$bound" create --filename "$(event_of "$node" Pod)" > /dev/null || fail "the driver may write no event"
    in_space annotate pod noted --overwrite example.com/version=1 > /dev/null
    until_true 60 event_says 'volume artifact: now .*/v1/thing.bin .*, before .*/v2/thing.bin' noted ||
        explain "the driver's own event does not come"
}
events_policy() { kubectl "$@" --filename "$top/deploy/examples/event-policy.yaml" > /dev/null; }
# The file of an event: event_of NODE KIND
event_of() {
    cat > "$scratch/event-$1-$2.yaml" << YAML
apiVersion: events.k8s.io/v1
kind: Event
metadata: { generateName: written-, namespace: $space }
eventTime: $(date --utc +%Y-%m-%dT%H:%M:%S.000000Z)
reportingController: war-vol.geektime.org
reportingInstance: $1
type: Normal
reason: ArtifactUpdated
action: Update
note: somebody else
regarding: { apiVersion: v1, kind: $2, namespace: $space, name: noted }
YAML
    echo "$scratch/event-$1-$2.yaml"
}

versions() {
    head -c 100000 /dev/urandom > "$scratch/1.bin"
    head -c 200000 /dev/urandom > "$scratch/2.bin"
    origin "v1/thing.bin=$scratch/1.bin" "v2/thing.bin=$scratch/2.bin"
}

claim_with_a_version() {
    cat << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters:
  downloadURL: $(address)/v\${pvc.annotations['example.com/version']}/thing.bin
  settle: 0s
  spread: 0s
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: versioned, annotations: { example.com/version: "1" } }
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: $space
  resources: { requests: { storage: 1Gi } }
YAML
}

upgraded_example() { example tomcat-upgrade.yaml | sed "s#https://example.com#$(address)#"; }

shows_files() { in_space exec upgraded -- ls webapps | grep -q "ROOT##0000000$1.war"; }
