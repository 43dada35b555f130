# shellcheck shell=bash disable=SC2154,SC2016 # run.sh and settings.sh say it; shells elsewhere fill it in
# What volumes that may change cost a node with many of them, and what is asked of an API server that was away.

inline_pods=10 claim_pods=10 volumes_each=25

# In the limits of what such volumes may cost: MiB, and thousandths of a per cent of a core.
most_memory=40 most_processor=300

case_five_hundred_volumes_that_may_change_cost_next_to_nothing() {
    local before n used published gets
    knows_node || return 0
    head -c 100000 /dev/urandom > "$scratch/1.bin"
    head -c 200000 /dev/urandom > "$scratch/2.bin"
    moody "v1.bin=$scratch/1.bin" "v2.bin=$scratch/2.bin"
    for ((n = 0; n < inline_pods; n++)); do pod_with_inline_volumes "inline-$n"; done | in_space apply -f - > /dev/null
    { claims_class; for ((n = 0; n < claim_pods; n++)); do pod_with_claims "claims-$n"; done; } | in_space apply -f - > /dev/null
    in_space wait pods --selector e2e=many --for condition=Ready --timeout 600s > /dev/null || explain "not all pods start"
    all_show 1.bin || fail "not all volumes show v1"
    [ "$(counted 'changeable_volumes{state="current"}')" = $(((inline_pods + claim_pods) * volumes_each)) ] ||
        fail "the driver counts $(counted 'changeable_volumes{state="current"}') volumes that may change and are current"
    [ "$(watched_claims)" = 200 ] || fail "$(watched_claims) claims are watched, not 200"

    # Without kubelet nobody calls, once the claims are read that the last calls needed. A watch that ends because its time
    # is over begins again where it was.
    trap 'in_node systemctl start kubelet' EXIT
    in_node systemctl stop kubelet
    until_true 60 nothing_is_read || fail "claims are read again and again, although nobody calls"
    before=$(asked_of_objects)
    used=$(processor_used)
    sleep 60
    used=$(($(processor_used) - used))
    say "$(memory) MiB; in a minute without calls, $used hundredths of a second of processor time"
    [ "$(asked_of_objects)" = "$before" ] || fail "the API server was asked for pods or claims, although nobody called"
    [ "$(memory)" -le $most_memory ] || fail "the driver has $(memory) MiB"
    [ $((used * 1000 / 60)) -le $most_processor ] || fail "the driver took $used hundredths of a second in a minute"
    in_node systemctl start kubelet
    trap - EXIT

    # Changes of pods and of watched claims come by themselves, those of other claims when kubelet calls again.
    published=$(publishes)
    gets=$(requests get)
    in_space annotate pods --selector e2e=many --overwrite example.com/version=v2 > /dev/null
    in_space annotate pvc --selector e2e=many --overwrite example.com/version=v2 > /dev/null
    until_true 240 all_show 2.bin || explain "not all volumes show v2"
    published=$(($(publishes) - published)) gets=$(($(requests get) - gets))
    say "all volumes changed: $published calls of kubelet, $gets claims were read"
    [ "$gets" -gt 0 ] && [ "$gets" -le "$published" ] || fail "$gets claims were read in $published calls"
    [ "$(asked v1.bin) $(asked v2.bin)" = '1 1' ] || fail "v1 and v2 were downloaded $(asked v1.bin) and $(asked v2.bin) times"
    [ "$(memory)" -le $most_memory ] || fail "the driver has $(memory) MiB after the change"
}

# A new API server does not know the place where a watch was: it says 410 Gone, and the driver lists once more.
case_an_api_server_that_was_away_for_five_minutes_is_asked_seldom() {
    local gets watches
    knows_node || return 0
    # Each watch asks for itself.
    in_space delete pods --selector e2e=many --wait --timeout 180s > /dev/null
    head -c 100000 /dev/urandom > "$scratch/1.bin"
    head -c 200000 /dev/urandom > "$scratch/2.bin"
    origin "v1.bin=$scratch/1.bin" "v2.bin=$scratch/2.bin"
    waiting_pod steady "" "" "artifact=$(inline "\${pod.annotations['example.com/version']:-v1}.bin" 'settle: "0s"' 'readOnly: true')" |
        in_space apply -f - > /dev/null
    is_ready steady
    has steady v1.bin "$scratch/1.bin"
    gets=$(requests get) watches=$(requests watch)
    trap api_server_comes EXIT
    in_node mv /etc/kubernetes/manifests/kube-apiserver.yaml /etc/kubernetes/
    until_true 60 is_away || fail "the API server does not go"
    sleep 300
    api_server_comes
    trap - EXIT
    has steady v1.bin "$scratch/1.bin"
    in_space annotate pod steady --overwrite example.com/version=v2 > /dev/null
    until_true 120 has steady v2.bin "$scratch/2.bin" || explain "the change is not seen after the API server came back"
    say "$(($(requests get) - gets)) gets and lists, and $(($(requests watch) - watches)) watches"
    # Those that begin anew, and those in five minutes that nobody answers, half a minute apart at last; some are the looks
    # at the node's taint.
    [ $(($(requests get) - gets + $(requests watch) - watches)) -le 40 ] || fail "the API server was asked too often"
}
is_away() { ! kubectl --request-timeout 2s get --raw /readyz; }
api_server_comes() {
    in_node sh -c 'cd /etc/kubernetes && [ ! -e kube-apiserver.yaml ] || mv kube-apiserver.yaml manifests/'
    until_true 120 kubectl --request-timeout 2s get --raw /readyz || fail "the API server does not come back"
    until_true 120 kubectl wait node --all --for condition=Ready --timeout 5s
}

pod_with_inline_volumes() { # NAME
    local n volumes=()
    for ((n = 0; n < volumes_each; n++)); do
        volumes+=("v$n=csi: { driver: war-vol.geektime.org, readOnly: true, volumeAttributes: { $(attributes pod) } }")
    done
    many "$1" "${volumes[@]}"
}

pod_with_claims() { # NAME
    local n volumes=()
    for ((n = 0; n < volumes_each; n++)); do
        volumes+=("v$n:ro=persistentVolumeClaim: { claimName: $1-$n, readOnly: true }")
        cat << YAML
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: $1-$n, labels: { e2e: many } }
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: $space
  resources: { requests: { storage: 1Gi } }
YAML
    done
    many "$1" "${volumes[@]}"
}

claims_class() {
    cat << YAML
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters: { $(attributes pvc), spread: "0s" }
YAML
}

attributes() { # OBJECT
    printf "downloadURL: \"%s\", fileName: thing.bin, settle: \"0s\"" "$(moody_url "\${$1.annotations['example.com/version']:-v1}.bin")"
}

many() { # NAME VOLUME…
    waiting_pod "$1" "" "" "${@:2}" | sed "s#metadata: { name: $1 }#metadata: { name: $1, labels: { e2e: many } }#"
}

# Each volume of all pods, byte for byte.
all_show() { # FILE
    local pod sum
    sum=$(md5sum < "$scratch/$1")
    for pod in $(in_space get pods --selector e2e=many --output name); do
        [ "$(in_space exec "${pod#*/}" -- sh -c 'cat /v*/thing.bin | wc -c; md5sum /v*/thing.bin | cut -d" " -f1 | sort -u')" = \
            "$(($(stat -c %s "$scratch/$1") * volumes_each))"$'\n'"${sum%% *}" ] || return 1
    done
}

nothing_is_read() {
    local before
    before=$(asked_of_objects)
    sleep 2
    [ "$(asked_of_objects)" = "$before" ]
}

# How often the driver has got or listed pods and claims, as the audit log has it.
asked_of_objects() {
    in_node grep ':war-vol:war-vol-node"' /var/log/kubernetes/audit.log |
        grep -c '"verb":"\(get\|list\)".*"resource":"\(pods\|persistentvolumeclaims\)"' || true
}

# By name, as nobody else does.
watched_claims() {
    kubectl get --raw /metrics |
        awk '/^apiserver_longrunning_requests.*resource="persistentvolumeclaims",scope="resource"/ { all += $2 } END { print all + 0 }'
}

counted() { # SERIES
    kubectl get --raw "/api/v1/namespaces/war-vol/pods/$(driver_pod):9808/proxy/metrics" |
        awk -v series="war_vol_$1" '$1 == series { print $2; found = 1 } END { if (!found) print 0 }'
}
requests() { counted "api_server_requests_total{verb=\"$1\"}"; }
publishes() { counted 'publishes_total{outcome="ok"}'; }

driver_process() {
    in_node sh -c 'for pid in $(pidof war-vol); do ! grep -q mode=node "/proc/$pid/cmdline" || echo "$pid"; done'
}
memory() { in_node awk '/^VmRSS:/ { print int($2 / 1024) }' "/proc/$(driver_process)/status"; }
# Hundredths of a second.
processor_used() { in_node awk '{ print $14 + $15 }' "/proc/$(driver_process)/stat"; }
