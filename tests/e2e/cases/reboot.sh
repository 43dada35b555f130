# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The node reboots: its container restarts, with all mounts and processes gone. Each volume gets the content that it had,
# whatever its origin says by then; and what was deleted meanwhile goes.

kept=(inline claimed flex) deleted=(going-inline going-claimed going-flex)

# Pods of each kind, all on one artifact.
pods_are_there() {
    local pod
    in_space delete pods --selector '!app' --wait > /dev/null
    head -c 100000 /dev/urandom > "$scratch/kept.war"
    moody "kept.war=$scratch/kept.war"
    in_origin rm -f /srv/kept.war.asked
    claim_by_hand kept "$(moody_url kept.war)"
    for pod in "${kept[@]}" "${deleted[@]}"; do
        pod_on_kept "$pod" | in_space apply -f - > /dev/null
    done
    for pod in "${kept[@]}" "${deleted[@]}"; do is_ready "$pod"; done
}

pod_on_kept() {
    local url
    url=$(moody_url kept.war)
    case $1 in
        *claimed) on_claim kept "$1" ;;
        *flex) waiting_pod "$1" "" "" \
            "artifact=flexVolume: { driver: geektime/war-vol, options: { downloadURL: \"$url\" } }" ;;
        *) pod_of "$1" "$url" ;;
    esac
}

# While kubelet does not see it, half of the pods are deleted.
reboots() {
    in_node systemctl stop kubelet
    uids=$(in_space get pods "${deleted[@]}" -o jsonpath='{.items[*].metadata.uid}')
    in_space delete pods "${deleted[@]}" --wait=false > /dev/null
    docker restart --time 5 "$WAR_VOL_NODE" > /dev/null
    until_true 240 kubectl --request-timeout 5s get --raw /readyz || fail "the API server does not come back"
}

# Its container was started again, and what it had is there.
is_back() {
    [ "$(in_space get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}')" -ge 1 ] &&
        [ "$(in_space get pod "$1" -o jsonpath='{.status.containerStatuses[0].ready}')" = true ]
}

all_is_as_it_was() {
    local pod
    for pod in "${kept[@]}"; do
        until_true 240 is_back "$pod" || explain "the pod $pod does not come back"
        has "$pod" kept.war "$scratch/kept.war"
    done
    in_space wait pods "${deleted[@]}" --for delete --timeout 240s > /dev/null || explain "a deleted pod does not go"
    # shellcheck disable=SC2086 # a list of words
    until_true 120 no_trace_of $uids || fail "the deleted pods left a mount or a directory"
    origin_is_back
    [ "$(asked kept.war)" = 1 ] || fail "the artifact was downloaded $(asked kept.war) times"
}
no_trace_of() {
    local uid
    for uid in "$@"; do
        in_node sh -c "[ ! -e /var/lib/kubelet/pods/$uid ] && ! grep -q /pods/$uid/ /proc/1/mountinfo" || return 1
    done
}

origin_is_back() {
    until_true 240 in_origin true || explain "the origin does not come back"
    in_space rollout status deployment/origin --timeout 240s > /dev/null
}

case_pods_come_back_after_a_reboot_with_the_origin_down() {
    knows_node || return 0
    pods_are_there
    in_space set selector service/origin app=nobody > /dev/null
    reboots
    all_is_as_it_was
    in_space set selector service/origin app=origin > /dev/null
    # The driver is known to kubelet again, which does not try a failed registration anew.
    sleeper new "$(moody_url kept.war)"
    is_ready new 240
}

# The driver comes after the origin, so that it could hear the answer.
case_pods_come_back_after_a_reboot_with_the_origin_answering_404() {
    knows_node || return 0
    pods_are_there
    in_origin rm /srv/kept.war
    trap '"$e2e/install.sh"' EXIT
    "$e2e/install.sh" node.nodeSelector.later=yes
    reboots
    origin_is_back
    until_true 60 origin_answers_404 || fail "the origin answers something else than 404"
    "$e2e/install.sh"
    trap - EXIT
    all_is_as_it_was
    sleeper new "$(moody_url kept.war)"
    until_true 60 event_says 'answered 404' new || explain "a new pod does not hear of the 404"
}
origin_answers_404() { { in_origin wget -O - "$(moody_url kept.war)" 2>&1 || true; } | grep -q ' 404 '; }
