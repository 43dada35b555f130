# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# What docs/install.md advises beside the installation itself, followed on a cluster.

driver() { kubectl --namespace war-vol "$@"; }
driver_pods() { driver get pods --selector app.kubernetes.io/component=node -o name | wc -l; }

case_a_namespace_that_is_baseline_takes_the_driver_by_the_label_of_the_page() {
    local level=pod-security.kubernetes.io/enforce command
    trap 'kubectl label namespace war-vol '$level'- > /dev/null' EXIT
    kubectl label namespace war-vol --overwrite "$level=baseline" > /dev/null 2>&1
    driver delete pods --selector app.kubernetes.io/component=node --wait > /dev/null
    until_true 60 no_pod_is_allowed || explain "no event says that Pod Security forbids the driver"
    command=$(sed -n 's/^\(kubectl label namespace war-vol .*\)$/\1/p' "$top/docs/install.md")
    [ -n "$command" ] || fail "the page has no label any more"
    $command --overwrite > /dev/null
    # The controller of a DaemonSet waits longer and longer; any change of it ends that.
    driver rollout restart daemonset/war-vol-node > /dev/null
    driver rollout status daemonset/war-vol-node --timeout 120s > /dev/null || explain "the driver is not allowed yet"
}
no_pod_is_allowed() {
    driver get events --field-selector reason=FailedCreate -o jsonpath='{.items[*].message}' | grep -q 'violates PodSecurity'
}

case_a_rollback_brings_the_release_before_and_disturbs_nobody() {
    local helm level
    artifact
    sleeper lasting "$(address)/thing.bin"
    is_ready lasting
    helm=$("$top/tests/tools.sh" --where helm)
    trap '"$e2e/install.sh"' EXIT
    "$e2e/install.sh" logLevel=trace
    "$helm" rollback war-vol -n war-vol > /dev/null
    driver rollout status daemonset/war-vol-node --timeout 120s > /dev/null
    level=$(driver get daemonset war-vol-node -o jsonpath='{.spec.template.spec.containers[0].args}')
    ! grep -q log-level=trace <<< "$level" || fail "the release before is not back: $level"
    has lasting thing.bin "$scratch/thing.bin"
    [ "$(in_space get pod lasting -o jsonpath='{.status.containerStatuses[0].restartCount}')" = 0 ] ||
        fail "the pod was started again"
    trap - EXIT
}

# Each command of the page that lists who uses the driver.
case_before_an_uninstallation_the_page_finds_every_pod_and_claim() {
    local listed number=0
    artifact
    sleeper inline "$(address)/thing.bin"
    claim_by_hand claimed "$(address)/thing.bin"
    on_claim claimed holder | in_space apply -f - > /dev/null
    is_ready inline
    is_ready holder
    while read -r command; do
        listed+=$(bash -c "$command")$'\n'
        number=$((number + 1))
    done < <(sed -n "s/^ *\(kubectl get p[ov][^ ]* .*go-template=.*\)$/\1/p" "$top/docs/install.md")
    [ $number = 3 ] || fail "the page has $number such commands"
    for word in "$space/inline" "$space/claimed"; do
        grep -qx "$word" <<< "$listed" || fail "$word is not among them: $listed"
    done
    listed=$(driver exec daemonset/war-vol-node -- war-vol volumes)
    grep -q "$(address)/thing.bin" <<< "$listed" || fail "the driver lists: $listed"
}

# Serves it, once for all cases. Other files have the same directory for theirs.
artifact() {
    ! in_space get deployment origin > /dev/null 2>&1 || return 0
    head -c 20000 /dev/urandom > "$scratch/thing.bin"
    origin "thing.bin=$scratch/thing.bin"
}
