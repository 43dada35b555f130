# shellcheck shell=bash disable=SC2154,SC2016 # run.sh and settings.sh say it; shells in pods fill it in
# What a pod does to its volume no other pod sees, and the cached bytes stay what they were.
#
# The attacks are those of tests/front/attack.c. They are made on a plain read-only bind of the same node first, as a
# naive driver would mount it: what does not reach the neighbour there says nothing by failing on ours.

more='securityContext: { capabilities: { add: [SYS_ADMIN, DAC_READ_SEARCH, LEASE, LINUX_IMMUTABLE] } }'
program='attack=configMap: { name: attack, defaultMode: 0755 }'
naive=/var/lib/war-vol-naive # in the node

case_what_a_pod_does_to_a_writable_volume_reaches_only_its_own_layer() {
    local own
    shows_faults || return 0
    armed
    own=$(inline app.bin "checksum: sha256:$digest")
    fight writable "" "$own" "$own" "$own"
    [ -z "$noticed" ] || fail "a pod noticed what another one did: $noticed"
    while read -r name; do
        # A user namespace of the container's own making has no rights in the volume.
        [[ $name == user-* ]] || grep -q "^$name ok " "$work/writable" || fail "a pod may not do to its volume: $name"
    done < <(reached "$work/plain")
}

# It is a bind of the cached file itself, so that pods with a user namespace can use it. Locks and events go through it
# (SECURITY.md).
case_what_a_pod_does_to_a_read_only_volume_comes_to_nothing() {
    local own
    shows_faults || return 0
    armed
    own=$(inline app.bin "checksum: sha256:$digest" "readOnly: true")
    fight read-only "" "$own" "$own" "$own"
    [[ $noticed != *@(open|record)* ]] || fail "a pod held another one up: $noticed"
    fails_each read-only
}

# Whoever wants nothing of that asks for an overlay.
case_what_a_pod_does_to_a_read_only_overlay_no_other_sees() {
    local own
    shows_faults || return 0
    armed
    own=$(inline app.bin "checksum: sha256:$digest, layout: overlay" "readOnly: true")
    fight read-only-overlay "" "$own" "$own" "$own"
    [ -z "$noticed" ] || fail "a pod noticed what another one did: $noticed"
    fails_each read-only-overlay
    in_space delete pods read-only-overlay-a read-only-overlay-b > /dev/null
    fight read-only-overlay-more "$more" "$own" "$own" "$own"
    fails_each read-only-overlay-more
}

# Read-only by the driver's own decision: the runtime is told to make it writable, and does so where it is a bind.
case_what_a_pod_does_to_a_claim_comes_to_nothing() {
    shows_faults || return 0
    armed
    trap 'kubectl delete persistentvolume "$space-a" "$space-b" --ignore-not-found --wait=false > /dev/null' EXIT
    { claim a && claim b; } | in_space apply -f - > /dev/null
    fight claim "" "$(claimed a)" "$(claimed b)" "$(claimed a)"
    [ -z "$noticed" ] || fail "a pod noticed what another one did: $noticed"
    fails_each claim
    in_space delete pods claim-a claim-b > /dev/null
    # May it make its mounts writable, there is still nothing in them that could be written.
    fight claim-more "$more" "$(claimed a)" "$(claimed b)" "$(claimed a)" :ro
    fails_each claim-more
}

case_more_capabilities_reach_nothing_either() {
    local own
    shows_faults || return 0
    armed
    own=$(inline app.bin "checksum: sha256:$digest")
    fight more "$more" "$own" "$own" "$own" :ro
    grep -q '^remount-bind ok ' "$work/more" || fail "the pod could not make its own mount writable"
}

claim() { # NAME
    cat << YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: $space-$1 }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadOnlyMany]
  claimRef: { namespace: $space, name: $1 }
  csi:
    driver: war-vol.geektime.org
    volumeHandle: $space-$1
    volumeAttributes: { downloadURL: "$(address)/app.bin", checksum: "sha256:$digest" }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: $1 }
spec:
  storageClassName: ""
  volumeName: $space-$1
  accessModes: [ReadOnlyMany]
  resources: { requests: { storage: 1Gi } }
YAML
}
claimed() { echo "persistentVolumeClaim: { claimName: $1 }"; }

# Without that the control would fail.
shows_faults() {
    is_at_least 1.3 "$(runc_version)" || {
        say "SKIPPED, because runc $(runc_version) lets no pod write to a plain read-only bind: ${FUNCNAME[1]}"
        return 1
    }
}

# The program, what is attacked, and the control, once for all cases. Sets $work and $digest.
armed() {
    work=$scratch/isolation
    if [ ! -e "$work/plain" ]; then
        mkdir "$work" 2> /dev/null || fail "the control has failed; see above"
        "$top/tests/tools.sh" --system gcc:gcc >&2
        gcc -static -s -O1 -o "$work/attack" "$top/tests/front/attack.c"
        in_space create configmap attack --from-file "$work/attack" > /dev/null
        head -c 20000 /dev/urandom > "$work/app.bin"
        origin "app.bin=$work/app.bin"
        (a_plain_bind_suffers)
    fi
    digest=$(sha256sum < "$work/app.bin" | cut -d' ' -f1)
    blob=/var/lib/war-vol/v1/blobs/$digest
}

a_plain_bind_suffers() {
    local before after name noticed
    trap naive_volumes_go EXIT
    naive_volumes
    before=$(facts_of "$naive/blob")
    {
        attackers plain "" "$(bound a)" "$(bound b)" "$(bound b)"
        waiting_pod plain-more "" "$more" "$program" "vol:ro=$(bound c)"
    } | in_space apply -f - > /dev/null
    is_ready plain-a && is_ready plain-b && is_ready plain-more
    noticed=$(noticed plain-a plain-b)
    [ "$noticed" = "open lock record watch" ] || fail "not conclusive: on a plain bind pods notice only: $noticed"
    in_space exec plain-a -- /attack/attack all /vol/app.bin /other/app.bin > "$work/plain.new"
    for name in write write-mapped proc-fd chmod chown truncate utimes setxattr punch; do
        grep -qx "$name ok reached" "$work/plain.new" || fail "not conclusive: on a plain bind, too, $name does nothing"
    done
    after=$(facts_of "$naive/blob")
    [ "$before" != "$after" ] || fail "not conclusive: the file of a plain bind survived"
    [ "$(in_space exec plain-more -- /attack/attack remount-bind /vol/app.bin)" = "remount-bind ok" ] ||
        fail "not conclusive: a pod with CAP_SYS_ADMIN cannot make a plain bind writable"
    mv "$work/plain.new" "$work/plain"
}
bound() { echo "hostPath: { path: $naive/target-$1, type: Directory }"; }

# Volumes of one blob as a naive driver makes them: hard links, each in a directory of its own, bound read-only.
naive_volumes() {
    naive_volumes_go
    in_node sh -euc '
        mkdir "$0" && cd "$0"
        head -c 20000 /dev/urandom > blob && chmod 444 blob
        for name in a b c; do
            mkdir "$name" "target-$name" && ln blob "$name/app.bin"
            mount --bind "$name" "target-$name" && mount -o remount,bind,ro,nosuid,nodev "target-$name"
            ! touch "target-$name/new" 2> /dev/null
        done' "$naive"
}
naive_volumes_go() {
    in_space delete pods plain-a plain-b plain-more --ignore-not-found > /dev/null
    in_node sh -c 'for at in "$0"/target-*; do umount "$at" 2> /dev/null; done; rm -rf "$0"' "$naive"
}

# Two pods, and what the first does to its volume; OTHER is the artifact's next volume, in the same pod, and so each
# attack is told from the others. Sets $noticed, and leaves what became of each attack in $work/NAME.
fight() { # NAME CONTAINER VOLUME OTHER VOLUME-OF-THE-SECOND-POD [:ro]
    local before shown
    attackers "$@" | in_space apply -f - > /dev/null
    is_ready "$1-a" && is_ready "$1-b"
    before=$(facts_of "$blob") shown=$(shown_to "$1-b")
    noticed=$(noticed "$1-a" "$1-b")
    in_space exec "$1-a" -- /attack/attack all "/vol/app.bin" /other/app.bin > "$work/$1"
    cmp -s <(cut -d' ' -f1 "$work/plain") <(cut -d' ' -f1 "$work/$1") || fail "not every attack was made"
    [ -z "$(reached "$work/$1")" ] || fail "another volume was reached by: $(reached "$work/$1" | tr '\n' ' ')"
    [ "$(shown_to "$1-b")" = "$shown" ] || fail "another pod sees what was done: $shown, and then $(shown_to "$1-b")"
    [ "$(facts_of "$blob")" = "$before" ] || fail "the cached file is another one: $before, now $(facts_of "$blob")"
    [[ $before == *"$digest"* ]] || fail "the cached file was never what it should be: $before"
}

attackers() { # as fight
    waiting_pod "$1-a" "" "$2" "$program" "vol${6-}=$3" "other:ro=$4"
    waiting_pod "$1-b" "" "$2" "$program" "vol${6-}=$5"
}

reached() { awk '$3 == "reached" { print $1 }' "$1"; }

fails_each() { # NAME
    local name
    while read -r name; do
        ! grep "^$name ok" "$work/$1" || fail "a pod may do to a read-only volume: $name"
    done < <(reached "$work/plain")
}

# Of a file in the node, all that a reader could notice.
facts_of() { in_node sh -c 'stat -c "%f %u:%g %s %y %i" "$0" && sha256sum < "$0"' "$1" | tr '\n' ' '; }
shown_to() { in_space exec "$1" -- sh -c 'stat -c "%f %u:%g %s %y" /vol/* && sha256sum /vol/*' | tr '\n' ' '; }

# What the second pod is held up by, or the first one sees, although each uses a volume of its own: noticed POD POD
noticed() {
    local said
    said=$(
        while_held "$1" "$2" "hold-lease" "open-now"
        while_held "$1" "$2" "hold-lock hold-record" "lock-now record-now"
        while_held "$1" "$2" "hold-watch" "open-now"
    ) || exit
    sed -n 's/^\(.*\)-now EAGAIN$/\1/p; s/^saw$/watch/p' <<< "$said" | paste -sd' '
}

# What two pods say, while the first has its file under lease or lock: while_held POD POD HOLDS ACTS
while_held() {
    local holder held=$work/held holds
    read -ra holds <<< "$3"
    rm -f "$held" "$held.end"
    mkfifo "$held.end"
    # As nobody, because the kernel gives a user so many watches and no more, and kubelet and its like are root.
    in_space exec -i "$1" -- sh -c 'exec 3<&0
        for hold in $0; do
            as=root; [ "$hold" != hold-watch ] || as=nobody
            su -s /attack/attack "$as" "$hold" /vol/app.bin <&3 &
        done
        wait' "$3" < "$held.end" > "$held" &
    holder=$!
    exec 7> "$held.end"
    until_true 60 holds_all "$held" "${#holds[@]}" || fail "$1 holds nothing: $(cat "$held")"
    in_space exec "$2" -- sh -c 'for act in $0; do /attack/attack "$act" /vol/app.bin; done' "$4"
    exec 7>&-
    wait "$holder"
    cat "$held"
}
holds_all() { [ "$(grep -c ^hold- "$1")" = "$2" ]; }
