# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# Three Tomcats of two versions each on one claim, and a client that asks all the while.

# Up, down and over 9 to 10, as often as that; a client asks each Service 20 times a second and loses no answer.
changes=50

case_fifty_roll_outs_under_load_lose_no_request() {
    local words=() pods pod n version began slowest=0 took before
    words=("$(word)" "$(word)")
    for version in 0 1; do war "$scratch/$version.war" "${words[version]}"; done
    origin "v0/sample.war=$scratch/0.war" "v1/sample.war=$scratch/1.war"
    "$e2e/cluster.sh" make tomcat:11-jre17 > /dev/null
    kubectl get storageclass "$space" > /dev/null 2>&1 || rollout_example | in_space apply -f - > /dev/null
    for n in shop shop-11; do
        in_space rollout status "deployment/$n" --timeout 240s > /dev/null || explain "the Tomcats of $n do not start"
        client "$n" "http://$(in_space get service "$n" --output jsonpath='{.spec.clusterIP}'):8080/"
    done
    mapfile -t pods < <(in_space get pods --selector 'app in (shop, shop-11)' --output name | sed 's#.*/##')
    [ ${#pods[@]} = 6 ] || fail "there are other pods than six: ${pods[*]}"
    before=$(lives "${pods[@]}")
    for n in shop shop-11; do until_true 60 has_asked "$n" 20 || explain "nobody asks $n"; done
    for ((n = 1; n <= changes; n++)); do
        version=$((n % 2)) began=${EPOCHREALTIME/./}
        in_space annotate pvc shop --overwrite "example.com/version=v$version" > /dev/null
        for pod in "${pods[@]}"; do
            until_true 60 says "$pod" "" "${words[version]}" || explain "$pod does not serve v$version after change $n"
        done
        took=$(((${EPOCHREALTIME/./} - began) / 1000))
        [ "$took" -le "$slowest" ] || slowest=$took
    done
    say "$changes changes, served by all six Tomcats after at most $slowest ms"
    for n in shop shop-11; do
        say "$n: $(answers "$n" ok) answers, $(answers "$n" lost) lost"
        [ "$(answers "$n" ok)" -ge $((10 * changes)) ] || fail "$n was hardly asked"
        [ "$(answers "$n" lost)" = 0 ] || fail "$n lost answers: $(in_space exec "client-$n" -- tail -n 5 /tmp/why)"
    done
    [ "$(lives "${pods[@]}")" = "$before" ] || fail "a pod or its container was restarted: $before, now $(lives "${pods[@]}")"
}

# It ends in the version that it began in: its session keeps that one alive.
case_a_long_request_ends_well_although_the_version_changes() {
    local pod now next
    now=$(word) next=$(word)
    slow_war "$scratch/2.war" "$now"
    slow_war "$scratch/3.war" "$next"
    origin "v2/sample.war=$scratch/2.war" "v3/sample.war=$scratch/3.war"
    pod=$(in_space get pods --selector app=shop --output jsonpath='{.items[0].metadata.name}')
    in_space annotate pvc shop --overwrite example.com/version=v2 > /dev/null
    until_true 60 says "$pod" "" "$now" || explain "$pod does not serve v2"
    # The JSP is compiled before.
    page "$pod" 'slow.jsp?ms=0' > /dev/null
    page "$pod" 'slow.jsp?ms=15000' > "$scratch/slow" &
    in_space annotate pvc shop --overwrite example.com/version=v3 > /dev/null
    until_true 60 says "$pod" "" "$next" || explain "$pod does not serve v3"
    kill -0 $! || fail "the long request had ended before the change, or was lost: $(cat "$scratch/slow")"
    wait $! || fail "the long request failed"
    grep -q "slow $now" "$scratch/slow" || fail "the long request was answered: $(cat "$scratch/slow")"
}

# A Tomcat that starts again over what it has unpacked compares the times of the WAR and nothing else.
case_a_container_that_restarts_after_going_back_serves_the_right_version() {
    local first second
    first=$(word) second=$(word)
    war "$scratch/4.war" "$first"
    war "$scratch/5.war" "$second"
    origin "v4/sample.war=$scratch/4.war" "v5/sample.war=$scratch/5.war"
    example tomcat-inline.yaml | sed -e "s#$(address)/#$(address)/v\${pod.annotations['example.com/version']}/#" \
        -e 's#^  name: sample#&\n  annotations: { example.com/version: "4" }#' \
        -e 's#^        downloadURL.*#&\n        fileName: ROOT.war\n        settle: 0s#' -e 's#path: /sample/#path: /#' |
        in_space apply -f - > /dev/null
    is_ready sample
    until_true 60 says sample "" "$first" || explain "the Tomcat does not serve v4"
    in_space annotate pod sample --overwrite example.com/version=5 > /dev/null
    until_true 90 says sample "" "$second" || explain "the Tomcat does not serve v5"
    in_space annotate pod sample --overwrite example.com/version=4 > /dev/null
    until_true 30 has_file sample ROOT.war "$scratch/4.war" || explain "the volume does not go back to v4"
    in_space exec sample -- sh -c 'kill 1' || true
    until_true 60 restarted_once sample || explain "the container does not restart"
    until_true 90 says sample "" "$first" || explain "the Tomcat does not serve v4 after its restart"
}
has_file() { in_space exec "$1" -- cat "/usr/local/tomcat/webapps/$2" | cmp - "$3"; }
restarted_once() {
    [ "$(in_space get pod "$1" --output jsonpath='{.status.containerStatuses[0].restartCount}')" = 1 ] && is_ready "$1" 5
}

# The example, and the same Deployment once more with the newer Tomcat, all in this namespace's names.
rollout_example() {
    local all
    all=$(example tomcat-rollout.yaml | sed -e "s#https://example.com#$(address)#" -e 's#example.com/version: v1#example.com/version: v0#' \
        -e "s#^  name: shop\$#&\n  labels: { war-vol-e2e: $space }#" -e '/^  downloadURL/a\  settle: 0s\n  spread: 0s\n  drain: 30s')
    # The class is the cluster's.
    all=$(sed "0,/^  name: shop/s//  name: $space/; s/storageClassName: shop/storageClassName: $space/" <<< "$all")
    printf '%s\n---\n' "$all"
    sed -n '/^apiVersion: apps/,$p' <<< "$all" |
        sed -e 's/name: shop$/name: shop-11/; s/app: shop /app: shop-11 /; s/tomcat:9-jre17/tomcat:11-jre17/'
}

# A WAR with a page that takes as long as it is told: slow_war FILE WORD
slow_war() {
    local work
    work=$(mktemp -d)
    mkdir "$work/WEB-INF"
    printf '<p>This WAR says %s</p>\n' "$2" > "$work/index.html"
    printf '<%% Thread.sleep(Long.parseLong(request.getParameter("ms"))); %%>slow %s\n' "$2" > "$work/slow.jsp"
    printf '<web-app xmlns="http://xmlns.jcp.org/xml/ns/javaee" version="4.0"/>\n' > "$work/WEB-INF/web.xml"
    stored_zip "$work" index.html slow.jsp WEB-INF/web.xml > "$1"
    rm -r "$work"
}

# What changes with every restart, of all of them.
lives() {
    in_space get pods "$@" --output \
        jsonpath='{range .items[*]}{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}{"\n"}{end}'
}
