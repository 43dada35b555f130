# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A taint keeps pods away from a node until kubelet lists the driver, which then removes it and nothing else.

taint=war-vol.geektime.org/agent-not-ready
system() { kubectl --namespace war-vol "$@"; }

node_name() { kubectl get nodes -o jsonpath='{.items[0].metadata.name}'; }
taints() { kubectl get nodes -o jsonpath='{range .items[0].spec.taints[*]}{.key}:{.effect}{"\n"}{end}'; }
has_taint() { taints | grep -qx "$1"; }
is_free() { ! taints | grep -q "^$taint:"; }

# The driver's pod goes, and none comes until driver_comes.
driver_goes() {
    system patch daemonset war-vol-node --type merge \
        --patch '{"spec":{"template":{"spec":{"nodeSelector":{"war-vol-e2e":"away"}}}}}' > /dev/null
    until_true 60 no_driver || explain "the driver's pod does not go"
}
no_driver() { [ -z "$(system get pods --selector app.kubernetes.io/component=node -o name)" ]; }

driver_comes() {
    system patch daemonset war-vol-node --type merge \
        --patch '{"spec":{"template":{"spec":{"nodeSelector":{"war-vol-e2e":null}}}}}' > /dev/null
}
driver_is_ready() {
    system rollout status daemonset/war-vol-node --timeout 120s > /dev/null || explain "the driver is not ready"
}

# However a case ends, the next one finds the node and the driver as they were: what a case changes, its trap mends.
restore() {
    rights '["get","patch"]'
    system set env daemonset/war-vol-node KUBERNETES_SERVICE_HOST- KUBERNETES_SERVICE_PORT- > /dev/null
    driver_comes
    driver_is_ready
    kubectl label nodes --all war-vol-e2e- > /dev/null
    # One after another: what is not there is an error.
    kubectl taint nodes --all "$taint-" > /dev/null 2>&1 || true
    kubectl taint nodes --all example.com/other- > /dev/null 2>&1 || true
}

# What the driver may do with nodes.
rights() {
    kubectl patch clusterrole war-vol-startup-taint --type json \
        --patch "[{\"op\":\"replace\",\"path\":\"/rules/0/verbs\",\"value\":$1}]" > /dev/null
}

# A pod with an inline volume: one NAME [SPEC]
one() { waiting_pod "$1" "${2-}" "" "data=$(inline file)" | in_space apply -f - > /dev/null; }
is_untolerated() { event_says 'untolerated taint' "$1"; }

case_a_new_node_has_no_pods_until_kubelet_lists_the_driver() {
    trap restore EXIT
    word > "$scratch/file"
    origin "file=$scratch/file"
    driver_goes
    kubectl taint nodes --all "$taint=:NoSchedule" "example.com/other=:PreferNoSchedule" > /dev/null
    one early
    until_true 60 is_untolerated early || explain "the pod is not kept away"
    driver_comes
    is_ready early
    [ "$(in_space exec early -- cat /data/file)" = "$(cat "$scratch/file")" ] || fail "that is not the file"
    is_free || fail "the taint is still there"
    has_taint example.com/other:PreferNoSchedule || fail "another taint is gone, too"
    driver_says 'removed the startup taint' || explain "the driver does not say so"
    ! knows_node || until_true 20 listed_before_it_was_removed ||
        fail "the taint was removed before kubelet had listed the driver: $(order)"
}

# Who wrote what last, as the API server saw it: kubelet the CSINode, then the driver the Node.
listed_before_it_was_removed() { [ "$(order | tail -n 2 | tr '\n' ' ')" = "csinodes nodes " ]; }
order() {
    in_node grep -E '"verb":"(update|patch|create)"' /var/log/kubernetes/audit.log |
        grep -E '"username":"system:node:[^"]*".*"resource":"csinodes"|"username":"system:serviceaccount:war-vol:war-vol-node".*"resource":"nodes"' |
        sed -E 's/.*"resource":"(csinodes|nodes)".*/\1/'
}

case_a_driver_that_is_killed_or_lacks_a_right_removes_it_later() {
    trap restore EXIT
    rights '["get"]'
    driver_goes
    kubectl taint nodes --all "$taint=:NoSchedule" > /dev/null
    driver_comes
    driver_is_ready
    until_true 60 driver_says 'cannot patch resource \\"nodes\\"' || explain "the missing right is not named"
    has_taint "$taint:NoSchedule" || fail "the taint is gone without the right to remove it"
    if knows_node; then
        # shellcheck disable=SC2016 # the node's shell runs it
        in_node sh -c 'kill -9 $(pidof war-vol)'
    fi
    rights '["get","patch"]'
    until_true 90 is_free || explain "the taint stays"
}

case_a_driver_that_cannot_reach_the_api_server_serves_volumes() {
    local name
    trap restore EXIT
    name=$(node_name)
    word > "$scratch/file"
    origin "file=$scratch/file"
    driver_goes
    kubectl taint nodes --all "$taint=:NoSchedule" > /dev/null
    # Nobody listens there.
    system set env daemonset/war-vol-node KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=1 > /dev/null
    driver_comes
    driver_is_ready
    until_true 60 driver_says 'does not answer' || explain "the driver does not say that it has no answer"
    one tolerant 'tolerations: [{ operator: Exists }]'
    is_ready tolerant
    [ "$(in_space exec tolerant -- cat /data/file)" = "$(cat "$scratch/file")" ] || fail "that is not the file"
    has_taint "$taint:NoSchedule" || fail "the taint of $name is gone"
    system set env daemonset/war-vol-node KUBERNETES_SERVICE_HOST- KUBERNETES_SERVICE_PORT- > /dev/null
    until_true 90 is_free || explain "the taint stays"
}

# Of the sample: the token of the driver is good for its own node's start-up taint and for nothing else.
case_the_sample_policy_binds_the_driver_to_its_own_node_and_taint() {
    local name bound loose
    since 1.32 || return 0 # a token says which node it is of
    trap 'policy delete --ignore-not-found; restore' EXIT
    name=$(node_name)
    bound=$(driver_token --bound-object-kind Pod --bound-object-name "$(driver_pod)")
    loose=$(driver_token)
    policy apply
    kubectl taint nodes --all example.com/other=:PreferNoSchedule > /dev/null
    until_true 60 is_denied 'may only change its own node' "$loose" patch node "$name" --patch "$(label loose)" ||
        fail "a token of no node may change any"
    is_denied 'may change nothing on its node' "$bound" patch node "$name" --patch "$(label bound)" ||
        fail "the node may be labelled"
    is_denied 'may change nothing on its node' "$bound" patch node "$name" --patch '{"spec":{"unschedulable":true}}' ||
        fail "the node may be cordoned"
    is_denied 'may only remove its startup taint$' "$bound" taint node "$name" example.com/other- || fail "another taint may be removed"
    driver_goes
    kubectl taint nodes --all "$taint=:NoSchedule" > /dev/null
    driver_comes
    until_true 60 is_free || explain "the driver cannot remove its taint under the policy"
}
# Two words, because what is there already is no change: the policy takes a moment until it is in force.
label() { printf '{"metadata":{"labels":{"war-vol-e2e":"%s"}}}' "$1"; }
policy() { kubectl "$@" --filename "$top/deploy/examples/startup-taint-policy.yaml" > /dev/null; }
