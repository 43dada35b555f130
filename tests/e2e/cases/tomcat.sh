# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A Tomcat that never knew the WAR serves it, and the YAML alone says which version.

case_tomcat_serves_the_war_that_the_yaml_names() {
    local first second
    first=$(word) second=$(word)
    war "$scratch/one.war" "$first"
    war "$scratch/two.war" "$second"
    origin "sample.war=$scratch/one.war" "next.war=$scratch/two.war"
    example tomcat-inline.yaml | in_space apply -f - > /dev/null
    is_ready sample
    says sample sample/ "$first"
    example tomcat-inline.yaml | sed 's#/sample.war#/next.war#; s#name: sample#name: next#; s#/sample/#/next/#' |
        in_space apply -f - > /dev/null
    is_ready next
    says next next/ "$second"
    says sample sample/ "$first"
}

# One of Maven Central, pinned by its digest.
case_a_real_war_is_deployed() {
    local file digest
    "$top/tests/tools.sh" war >&2
    file=$("$top/tests/tools.sh" --where war)
    digest=$(sha256sum < "$file" | cut -d' ' -f1)
    origin "jolokia.war=$file"
    example tomcat-inline.yaml | sed "s#/sample.war#/jolokia.war\n        checksum: sha256:$digest#; s#name: sample#name: real#; s#path: /sample/#path: /jolokia/version#" |
        in_space apply -f - > /dev/null
    # It wants a user, where what is not deployed is not found.
    until_true 120 jolokia_wants_a_user || explain "jolokia does not answer"
}
jolokia_wants_a_user() {
    local answer
    answer=$(in_space exec real -- wget -S -O - http://127.0.0.1:8080/jolokia/version 2>&1 || true)
    grep -q 'HTTP/1.1 401' <<< "$answer"
}

# A mount that fails explains itself in the pod's events, and the pod starts by itself once the cause is mended.
case_a_failed_mount_says_why_and_mends_itself() {
    local token
    token=$(word)
    origin
    example tomcat-inline.yaml | sed 's#/sample.war#/late.war#; s#name: sample#name: late#; s#/sample/#/late/#' |
        in_space apply -f - > /dev/null
    until_true 60 event_says 'answered 404' late || explain "no event says that the origin answered 404"
    war "$scratch/late.war" "$token"
    origin "late.war=$scratch/late.war"
    is_ready late
    says late late/ "$token"
}

# When the pods are gone, so is everything of theirs.
case_nothing_is_left_when_the_pods_are_gone() {
    in_space delete pods --all --wait --timeout 120s > /dev/null
    knows_node || return 0
    must_leave_nothing
}
