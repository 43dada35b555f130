# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A hundred pods on one node: half of them with one artifact, the others with ten; a few have it by a claim.

case_a_hundred_pods_download_each_artifact_once() {
    local number files=()
    for number in {0..10}; do
        head -c 300000 /dev/urandom > "$scratch/$number.war"
        files+=("$number.war=$scratch/$number.war")
    done
    moody "${files[@]}"
    claim_by_hand zero "$(moody_url 0.war)"
    {
        for number in {1..10}; do on_claim zero "pod-claim-$number"; done
        for number in {1..40}; do pod_of "pod-same-$number" "$(moody_url 0.war)"; done
        for number in {1..50}; do pod_of "pod-other-$number" "$(moody_url "$((number % 10 + 1)).war")"; done
    } | in_space create -f - > /dev/null
    in_space wait pods --selector '!app' --for condition=Ready --timeout 420s > /dev/null ||
        explain "not all of the pods are ready"
    [ "$(in_space get pods --selector '!app' --no-headers | wc -l)" = 100 ] || fail "there are not 100 pods"
    for number in {0..10}; do
        [ "$(asked "$number.war")" = 1 ] || fail "$number.war was downloaded $(asked "$number.war") times"
    done
    has pod-same-40 0.war "$scratch/0.war"
    has pod-claim-10 0.war "$scratch/0.war"
    has pod-other-9 10.war "$scratch/10.war"
}

# In the node: mounts, directories, links of blobs. kubelet's own for a claim (globalmount) stays.
case_a_hundred_pods_leave_nothing() {
    local uids
    uids=$(in_space get pods --selector '!app' -o jsonpath='{range .items[*]}{.metadata.uid}{"\n"}{end}')
    in_space delete pods --selector '!app' --wait --timeout 300s > /dev/null
    knows_node || return 0
    must_leave_nothing
    until_true 120 no_directory_of "$uids" || fail "kubelet's directories of some pods are still there"
}
# shellcheck disable=SC2016 # the shell in the node fills it in
no_directory_of() { in_node sh -c 'cd /var/lib/kubelet/pods && for uid in $0; do [ ! -e "$uid" ] || exit 1; done' "$1"; }
