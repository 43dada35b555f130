# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A mount that fails says in the pod's events what was asked, what happened and what to do; and once its cause is mended
# the pod starts without help.

# The events of a pod come to say all of it: comes_to_say POD WORDS…
comes_to_say() {
    local pod=$1 words
    shift
    for words in "$@"; do
        until_true 60 event_says "$words" "$pod" || explain "no event of $pod says: $words"
    done
}

# An artifact that nobody has seen before.
artifact() { head -c "${2:-100000}" /dev/urandom > "$scratch/$1"; }

case_a_wrong_url_is_explained() {
    artifact late.war
    moody
    sleeper late "$(moody_url late.war)"
    comes_to_say late "$(moody_url late.war): .* answered 404 (not found); check the path of the URL"
    moody "late.war=$scratch/late.war"
    is_ready late
    has late late.war "$scratch/late.war"
}

case_a_forbidden_artifact_is_explained() {
    artifact private.war
    moody "private.war=$scratch/private.war"
    behave private.war 'status 403 Forbidden'
    sleeper private "$(moody_url private.war)"
    comes_to_say private "$(moody_url private.war): .* answered 403 (forbidden); .*credentials"
    behave private.war ''
    is_ready private
    has private private.war "$scratch/private.war"
}

# Remembered, and not downloaded again and again: until the origin has something else.
case_a_wrong_checksum_is_explained() {
    local right wrong
    artifact right.war
    artifact wrong.war
    right=$(sha256sum < "$scratch/right.war") wrong=$(sha256sum < "$scratch/wrong.war")
    moody "pinned.war=$scratch/wrong.war"
    sleeper pinned "$(moody_url pinned.war)" "checksum: sha256:${right%% *}"
    comes_to_say pinned "$(moody_url pinned.war): checksum mismatch: expected sha256:${right%% *}" \
        "got sha256:${wrong%% *}" 'which the server reports as unchanged since' \
        'correct the checksum, or the artifact at the URL'
    [ "$(asked pinned.war)" = 1 ] || fail "the wrong bytes were downloaded $(asked pinned.war) times"
    moody "pinned.war=$scratch/right.war"
    is_ready pinned
    has pinned pinned.war "$scratch/right.war"
}

case_an_artifact_above_its_limit_is_explained() {
    artifact huge.war 3M
    artifact small.war
    moody "huge.war=$scratch/huge.war"
    sleeper huge "$(moody_url huge.war)" 'maxSize: 1Mi'
    comes_to_say huge "$(moody_url huge.war): too large: 3.0 MiB exceeds the volume's maxSize of 1.0 MiB" \
        'raise that limit, or publish a smaller artifact'
    moody "huge.war=$scratch/small.war"
    is_ready huge
    has huge huge.war "$scratch/small.war"
}

# However much the node has: it is told of more, by a driver that refuses nothing for its size.
case_an_artifact_that_the_disk_cannot_hold_is_explained() {
    artifact endless.war
    moody "endless.war=$scratch/endless.war"
    behave endless.war "length $((1 << 49))"
    trap '"$e2e/install.sh"' EXIT
    "$e2e/install.sh" node.maxSize=1000Ti
    sleeper endless "$(moody_url endless.war)"
    comes_to_say endless "no space for $(moody_url endless.war) in /var/lib/war-vol: .* more needed (.* free, of which"
    behave endless.war ''
    is_ready endless
    has endless endless.war "$scratch/endless.war"
}

# A name that is not there yet, and one where nobody listens yet.
case_an_origin_that_is_not_there_is_explained() {
    local nowhere=http://nowhere.$space.svc.cluster.local/cgi-bin/behaves
    artifact any.war
    moody "any.war=$scratch/any.war"
    in_space create service clusterip nobody --tcp 80:8080 > /dev/null
    sleeper unnamed "$nowhere/any.war"
    sleeper unheard "${nowhere/nowhere/nobody}/any.war"
    comes_to_say unnamed "$nowhere/any.war: cannot resolve nowhere.*; check the name and the node's DNS"
    comes_to_say unheard "${nowhere/nowhere/nobody}/any.war: cannot connect to nobody.*; check that the server is up"
    in_space create service clusterip nowhere --tcp 80:8080 > /dev/null
    in_space set selector service/nowhere app=origin > /dev/null
    in_space set selector service/nobody app=origin > /dev/null
    is_ready unnamed
    is_ready unheard
    has unnamed any.war "$scratch/any.war"
}

case_a_typo_is_explained() {
    sleeper typo "$(moody_url typo.war)" 'chekcsum: sha256:00'
    comes_to_say typo 'unknown attribute "chekcsum" (did you mean checksum?); known attributes: downloadURL, repository'
}

# Older kubelets take the message for a format, so that the sign has to be doubled; newer ones show both.
case_a_percent_sign_of_a_url_is_readable() {
    moody
    sleeper spaced "$(moody_url a%20b.war)"
    comes_to_say spaced "$(moody_url 'a%%*20b.war'): .* answered 404 (not found)"
}
