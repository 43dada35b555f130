# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The driver and kubelet come and go, and Tomcat serves all the while.

in_driver() { kubectl --namespace war-vol "$@"; }
driver_pod() { in_driver get pods --selector app.kubernetes.io/component=node -o jsonpath='{.items[0].metadata.name}'; }

# A Tomcat, and somebody who reads its page five times a second; once for all cases.
tomcat_serves() {
    local token address
    in_space get pod sample > /dev/null 2>&1 && return
    sample_is_served
    example tomcat-inline.yaml | in_space apply -f - > /dev/null
    is_ready sample
    address=$(in_space get pod sample -o jsonpath='{.status.podIP}')
    in_space run reader --image busybox:1 --image-pull-policy IfNotPresent --restart Never \
        --overrides '{"spec": {"terminationGracePeriodSeconds": 0}}' --command -- sh -c "
            while :; do
                if timeout 10 wget -q -O - http://$address:8080/sample/ | grep -q $token; then echo read; else echo failed; fi
                usleep 200000
            done" > /dev/null
    is_ready reader
    until_true 30 has_been_read 3 || explain "nobody reads the page"
}

# As often as NUMBER times.
has_been_read() { [ "$(in_space logs reader | grep -c read)" -ge "$1" ]; }

# It has been read since the case began, without a failure, and both pods are the ones that they were.
served_all_the_while() {
    local before
    before=$(in_space logs reader | grep -c read)
    until_true 30 has_been_read $((before + 3)) || explain "the page is not read any more"
    [ "$(in_space logs reader | grep -c failed)" = 0 ] || explain "Tomcat did not serve all the while"
    [ "$(in_space get pod sample reader -o jsonpath='{.items[*].status.containerStatuses[*].restartCount}')" = "0 0" ] ||
        explain "a container was started again"
    in_space exec sample -- cat webapps/sample.war | cmp - "$scratch/sample.war" || fail "its WAR is another one"
}

# A new pod gets a volume, and it goes with its pod: goes POD [UID]
pods_come_and_go() {
    sleeper "$1" "$(address)/sample.war"
    is_ready "$1"
    goes "$1"
}
goes() {
    local uid=${2-}
    [ -n "$uid" ] || uid=$(in_space get pod "$1" -o jsonpath='{.metadata.uid}')
    in_space delete pod "$1" --ignore-not-found --wait --timeout 120s > /dev/null || explain "the pod $1 does not go"
    ! knows_node || until_true 60 unmounted "$uid" || fail "the pod $1 left a mount or a directory"
}
unmounted() { in_node sh -c "[ ! -e /var/lib/kubelet/pods/$1 ] && ! grep -q /pods/$1/ /proc/1/mountinfo"; }

driver_restarts_is() {
    [ "$(in_driver get pod "$1" -o jsonpath='{.status.containerStatuses[0].restartCount}')" = "$2" ] &&
        [ "$(in_driver get pod "$1" -o jsonpath='{.status.containerStatuses[0].ready}')" = true ]
}

case_tomcat_serves_while_the_driver_is_killed() {
    local pod container
    tomcat_serves
    in_driver delete pod "$(driver_pod)" --force --grace-period 0 2> /dev/null > /dev/null
    in_driver rollout status daemonset/war-vol-node --timeout 120s > /dev/null
    pods_come_and_go after-delete
    if knows_node; then
        pod=$(driver_pod)
        container=$(in_driver get pod "$pod" -o jsonpath='{.status.containerStatuses[0].containerID}')
        in_node ctr --namespace k8s.io tasks kill --signal SIGKILL "${container#containerd://}" 2> /dev/null
        until_true 120 driver_restarts_is "$pod" 1 || explain "the driver does not come back"
        pods_come_and_go after-kill
    fi
    served_all_the_while
}

case_tomcat_serves_while_the_driver_is_upgraded() {
    local before
    tomcat_serves
    before=$(driver_pod)
    trap '"$e2e/install.sh"' EXIT
    "$e2e/install.sh" logLevel=debug
    [ "$(driver_pod)" != "$before" ] || fail "nothing was rolled out"
    pods_come_and_go after-upgrade
    served_all_the_while
}

# What its absence held up comes true when it is back: a pod that was deleted goes, a new one starts.
case_tomcat_serves_while_the_driver_is_not_installed() {
    local uid
    tomcat_serves
    trap '"$e2e/install.sh"' EXIT
    # Without a second to end in, the API server forgets it at once.
    pod_of old "$(address)/sample.war" | sed 's/\(terminationGracePeriodSeconds:\) 0/\1 1/' | in_space apply -f - > /dev/null
    is_ready old
    "$e2e/uninstall.sh"
    uid=$(in_space get pod old -o jsonpath='{.metadata.uid}')
    in_space delete pod old --wait=false > /dev/null
    sleeper new "$(address)/sample.war"
    until_true 60 event_says 'not found in the list of registered CSI drivers' new ||
        explain "the new pod does not wait for the driver"
    in_space wait pod/old --for jsonpath='{.status.containerStatuses[0].state.terminated}' --timeout 60s > /dev/null ||
        explain "the old pod went without the driver, with its volume"
    in_space get pod old > /dev/null || fail "the old pod went without the driver, with its volume"
    "$e2e/install.sh"
    trap - EXIT
    is_ready new
    goes old "$uid"
    goes new
    served_all_the_while
}

# What kubelet says of a volume that is there disturbs nothing: the mount stays the one that it was.
case_tomcat_serves_while_kubelet_restarts() {
    local before uid published
    knows_node || return 0
    tomcat_serves
    uid=$(in_space get pod sample -o jsonpath='{.metadata.uid}')
    before=$(mount_of "$uid")
    [ -n "$before" ] || fail "the volume of Tomcat is not seen in the node"
    in_node systemctl restart kubelet
    pods_come_and_go after-kubelet
    published=$(publishes)
    in_space annotate pod sample "seen=$(word)" > /dev/null
    until_true 120 is_published_again "$published" || fail "kubelet did not publish the volume again"
    [ "$(mount_of "$uid")" = "$before" ] || fail "the volume was mounted anew"
    served_all_the_while
}
mount_of() { in_node grep "/pods/$1/volumes/kubernetes.io~csi/" /proc/1/mountinfo; }
publishes() {
    kubectl get --raw "/api/v1/namespaces/war-vol/pods/$(driver_pod):9808/proxy/metrics" |
        sed -n 's/^war_vol_publishes_total{outcome="ok"} //p'
}
is_published_again() { [ "$(publishes)" -gt "$1" ]; }
