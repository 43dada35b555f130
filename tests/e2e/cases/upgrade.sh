# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# A Tomcat that runs serves another WAR, and nothing of its pod is restarted.

case_a_running_tomcat_serves_the_next_war_without_a_restart() {
    local first second before
    first=$(word) second=$(word)
    war "$scratch/one.war" "$first"
    war "$scratch/two.war" "$second"
    origin "v1/sample.war=$scratch/one.war" "v2/sample.war=$scratch/two.war"
    upgraded_example | in_space apply -f - > /dev/null
    is_ready upgraded
    says upgraded "" "$first"
    before=$(lives upgraded)
    wanted v2
    until_true 90 serves upgraded "" "$second" || explain "the running Tomcat does not serve the next WAR"
    [ "$(lives upgraded)" = "$before" ] || fail "the pod or its container was restarted: $before, now $(lives upgraded)"
}

# Back to the version before, with a server that is gone; and a version that does not exist changes nothing.
case_going_back_needs_no_server_and_a_missing_version_changes_nothing() {
    local before
    before=$(lives upgraded)
    wanted v3
    until_true 60 driver_says 'keeps its content.*v3/sample.war' || explain "the driver's log does not say why v3 is not shown"
    [ "$(lives upgraded)" = "$before" ] || fail "the pod was restarted"
    in_space scale deployment/origin --replicas 0 > /dev/null
    wanted v1
    until_true 120 shows_files 3 || explain "the version before is not shown again"
    in_space scale deployment/origin --replicas 1 > /dev/null
    [ "$(lives upgraded)" = "$before" ] || fail "the pod or its container was restarted"
}

upgraded_example() { example tomcat-upgrade.yaml | sed "s#https://example.com#$(address)#"; }

# What changes with every restart.
lives() {
    in_space get pod "$1" --output \
        jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'
}

# kubelet publishes again at once after a change of the pod.
wanted() {
    in_space patch secret sample-release --patch "{\"stringData\":{\"version\":\"$1\"}}" > /dev/null
    in_space annotate pod upgraded --overwrite "wanted=$1" > /dev/null
}

serves() { page "$1" "$2" 2> /dev/null | grep -q "$3"; }

shows_files() { in_space exec upgraded -- ls webapps | grep -q "ROOT##0000000$1.war"; }

driver_says() { kubectl --namespace war-vol logs daemonset/war-vol-node --since 5m | grep -q "$1"; }
