# shellcheck shell=bash disable=SC2154,SC2016 # run.sh and settings.sh say it; shells in pods fill it in
# Pods that are not root, in part or at all: by user and group, in a user namespace, in a namespace that allows no more.

someone='securityContext: { runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 }'

case_a_user_writes_to_its_volume_by_the_group_of_the_pod() {
    artifact
    waiting_pod someone "$someone" "" "scratch=$(inline app.bin)" "copy=$(inline app.bin "layout: copy")" \
        "fixed=$(inline app.bin "" "readOnly: true")" | in_space apply -f - > /dev/null
    is_ready someone
    in_someone 'touch /scratch/new && test "$(stat -c %u:%g /scratch/new)" = 1000:2000' ||
        fail "what is written to a volume does not have the group of the pod"
    in_someone 'mkdir /scratch/d && touch /scratch/d/new && test "$(stat -c %g /scratch/d/new)" = 2000' ||
        fail "what is written to a directory of a volume does not have the group of the pod"
    in_someone 'echo more > /scratch/x && mv /scratch/x /scratch/app.bin && test "$(cat /scratch/app.bin)" = more' ||
        fail "the file of a writable volume cannot be replaced"
    in_someone 'echo more >> /copy/app.bin && touch /copy/new' || fail "a copy cannot be written"
    in_someone "test \"\$(sha256sum < /fixed/app.bin)\" = '$digest  -'" || fail "a read-only volume cannot be read"
    ! in_someone 'touch /fixed/new' 2> /dev/null || fail "a read-only volume can be written"
}
in_someone() { in_space exec someone -- sh -c "$1"; }

# Where it is not told otherwise, Tomcat unpacks a WAR beside it, so into the volume.
case_a_tomcat_that_is_not_root_unpacks_into_its_volume_and_that_goes_with_the_pod() {
    local token
    sample_is_served
    example tomcat-inline.yaml | sed "s#^spec:#spec:\n  $someone#" | in_space apply -f - > /dev/null
    is_ready sample
    says sample sample/ "$token"
    [ "$(in_space exec sample -- stat -c %u:%g webapps/sample/index.html)" = 1000:2000 ] ||
        fail "what Tomcat unpacked does not belong to it"
    knows_node || return 0
    [ -n "$(unpacked)" ] || fail "what Tomcat unpacked is not in its volume"
    in_space delete pod sample > /dev/null
    until_true 30 nothing_is_unpacked || fail "what Tomcat unpacked outlives the pod: $(unpacked)"
}
# This pod's, by the word of its page: others on the node may run a sample, too.
unpacked() { in_node grep -rl --include index.html "$token" /var/lib/war-vol/v1 || true; }
nothing_is_unpacked() { [ -z "$(unpacked)" ]; }

case_a_pod_in_a_user_namespace_reads_a_read_only_volume_and_writes_to_a_copy() {
    since 1.33 || return 0 # before that, a feature gate
    artifact
    {
        waiting_pod mapped "hostUsers: false" "" "fixed=$(inline app.bin "" "readOnly: true")" \
            "copy=$(inline app.bin "layout: copy")"
        waiting_pod mapped-someone "$(printf '%s\n  ' "hostUsers: false" "$someone")" "" \
            "fixed=$(inline app.bin "" "readOnly: true")" "copy=$(inline app.bin "layout: copy")"
    } | in_space apply -f - > /dev/null
    for name in mapped mapped-someone; do
        is_ready "$name"
        is_in_user_namespace "$name"
        in_space exec "$name" -- sh -c "test \"\$(sha256sum < /fixed/app.bin)\" = '$digest  -'" ||
            fail "$name cannot read a read-only volume"
        ! in_space exec "$name" -- touch /fixed/new 2> /dev/null || fail "$name can write to a read-only volume"
        in_space exec "$name" -- sh -c 'echo more >> /copy/app.bin && touch /copy/new && rm /copy/app.bin' ||
            fail "$name cannot write to a copy"
    done
    [ "$(in_space exec mapped-someone -- stat -c %u:%g /copy/new)" = 1000:2000 ] ||
        fail "what is written to a copy does not have the group of the pod"
}

case_tomcat_in_a_user_namespace_serves_a_read_only_war() {
    local token digest
    since 1.33 || return 0 # before that, a feature gate
    sample_is_served
    digest=$(sha256sum < "$scratch/sample.war" | cut -d' ' -f1)
    example tomcat-docbase.yaml "$digest" | sed 's#^spec:#spec:\n  hostUsers: false#' | in_space apply -f - > /dev/null
    is_ready sample-docbase
    says sample-docbase "" "$token"
}

# No driver can know it beforehand: the runtime fails, and its words are what troubleshooting goes by.
case_a_user_namespace_on_an_overlay_does_not_start_and_the_event_says_why() {
    since 1.33 || return 0 # before that, a feature gate
    artifact
    waiting_pod overlaid "hostUsers: false" "" "scratch=$(inline app.bin)" | in_space apply -f - > /dev/null
    until_true 60 event_says 'failed to set MOUNT_ATTR_IDMAP on .*: invalid argument' overlaid ||
        explain "no event says that ids cannot be mapped on the volume"
    in_space delete pod overlaid --wait --timeout 60s > /dev/null
}

case_a_restricted_namespace_admits_an_inline_volume() {
    local level=pod-security.kubernetes.io/enforce
    local restricted='securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }'
    artifact
    trap 'kubectl label namespace "$space" '$level'- > /dev/null' EXIT
    # It warns of the pods of the cases before.
    kubectl label namespace "$space" --overwrite "$level=restricted" > /dev/null 2>&1 ||
        fail "the namespace takes no label"
    # What it would refuse.
    ! waiting_pod refused "" "" "node=hostPath: { path: /etc }" | in_space apply -f - > /dev/null 2>&1 ||
        fail "the namespace refuses nothing"
    waiting_pod restricted "${someone/ fsGroup/ seccompProfile: { type: RuntimeDefault \}, fsGroup}" "$restricted" \
        "scratch=$(inline app.bin)" "fixed=$(inline app.bin "" "readOnly: true")" | in_space apply -f - > /dev/null
    is_ready restricted
    in_space exec restricted -- sh -c 'touch /scratch/new && cmp /scratch/app.bin /fixed/app.bin' ||
        fail "the volumes cannot be used"
}

# Serves it, once for all cases. Sets $digest.
artifact() {
    if [ ! -e "$scratch/app.bin" ]; then
        head -c 20000 /dev/urandom > "$scratch/app.bin"
        origin "app.bin=$scratch/app.bin"
    fi
    digest=$(sha256sum < "$scratch/app.bin" | cut -d' ' -f1)
}
