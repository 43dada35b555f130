# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The policy of the chart, which the driver follows without a restart.

# Replaces the policy by one for this namespace alone, and waits until it is in force: policy URL…
policy() {
    local before text
    before=$(changes)
    text="contact: the team of the tests
rules:
- name: tests
  namespaces: [$space]
  allow:
    urls: [$(printf '"%s",' "$@" | sed 's/,$//')]"
    kubectl --namespace war-vol patch configmap war-vol-policy --type merge \
        --patch "$(jq -n --arg text "$text" '{data: {"policy.yaml": $text}}')" > /dev/null
    # kubelet brings a changed ConfigMap within a minute or two.
    until_true 180 changed_since "$before" || explain "the driver does not read the changed policy"
}
changes() {
    kubectl --namespace war-vol logs daemonset/war-vol-node --container war-vol | grep -c 'the policy is in force' || true
}
changed_since() { [ "$(changes)" -gt "$1" ]; }

case_a_policy_refuses_and_then_allows_without_a_restart() {
    local before
    echo content > "$scratch/content"
    origin "releases/thing.bin=$scratch/content" "snapshots/thing.bin=$scratch/content"
    before=$(kubectl --namespace war-vol get pods --output name)
    trap '"$e2e/install.sh"' EXIT
    policy "$(address)/releases/"
    sleeper released "$(address)/releases/thing.bin"
    is_ready released
    sleeper refused "$(address)/snapshots/thing.bin"
    until_true 60 event_says 'snapshots/thing.bin: not among the URLs that rule "tests", line 3 of the policy allows; use one of those, or ask the team of the tests' refused ||
        explain "no event says which rule refuses it"
    policy "$(address)/releases/" "$(address)/snapshots/"
    is_ready refused
    [ "$(kubectl --namespace war-vol get pods --output name)" = "$before" ] || fail "the driver was restarted"
}
