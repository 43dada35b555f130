# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The cluster is what the other cases need: what looks into the node, only a kind cluster allows.

at_least() { # NAME WANTED FOUND
    is_at_least "$2" "$3" ||
        fail "$1 is $3 in the node; below $2 it hides the faults that the tests look for"
    say "$1 $3"
}

# Older ones keep a bind read-only for a pod that could write it (runc#4824).
case_the_runtime_is_new_enough_to_show_its_faults() {
    knows_node || return 0
    since 1.30 || return 0 # kind's own node images of 1.29 have older ones
    at_least containerd 2.1 "$(containerd_version)"
    at_least runc 1.3 "$(runc_version)"
}

case_the_node_takes_many_pods_and_looks_at_them_often() {
    local shown
    knows_node || return 0
    shown=$(kubectl get nodes -o jsonpath='{.items[*].status.capacity.pods}')
    [ "$shown" = 250 ] || fail "the node takes $shown pods, not 250"
    shown=$(kubectl get --raw "/api/v1/nodes/$WAR_VOL_NODE/proxy/configz" | grep -o '"syncFrequency":"[^"]*"')
    [ "$shown" = '"syncFrequency":"10s"' ] || fail "kubelet has $shown, not 10s"
}

case_what_is_asked_of_the_api_server_is_in_its_audit_log() {
    local token
    knows_node || return 0
    token=$(word)
    in_space get configmap "$token" > /dev/null 2>&1 || true
    until_true 20 in_node grep -q "\"name\":\"$token\"" /var/log/kubernetes/audit.log ||
        fail "what was asked of the API server is not in its audit log"
}
