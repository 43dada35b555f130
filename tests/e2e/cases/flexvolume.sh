# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The two ways beside CSI: the column's own FlexVolume, and an init container for clusters without a driver.

case_the_columns_own_yaml_runs() {
    local token
    token=$(word)
    war "$scratch/flex.war" "$token"
    origin "geektime/sample/releases/download/v2/sample.war=$scratch/flex.war"
    example flexvolume.yaml | sed "s#https://example.com#$(address)#" | in_space apply -f - > /dev/null
    is_ready javaweb-2
    says javaweb-2 sample/ "$token"
}

# And the pod starts by itself once the cause is mended.
case_a_flex_volume_that_fails_says_why_and_mends_itself() {
    origin
    in_space apply -f - > /dev/null << YAML
apiVersion: v1
kind: Pod
metadata: { name: wrong }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: busybox
    image: busybox:1
    imagePullPolicy: IfNotPresent
    command: [sleep, "600"]
    volumeMounts: [{ name: app-volume, mountPath: /webapps }]
  volumes:
  - name: app-volume
    flexVolume: { driver: geektime/war-vol, options: { downloadURL: "$(address)/wrong.war" } }
YAML
    until_true 60 event_says 'wrong.war: .*answered 404 (not found); check the path of the URL' wrong ||
        explain "no event of the pod says that the origin answered 404"
    war "$scratch/wrong.war" "$(word)"
    origin "wrong.war=$scratch/wrong.war"
    is_ready wrong 180
    in_space exec wrong -- cat /webapps/wrong.war | cmp - "$scratch/wrong.war" || fail "the pod does not see the WAR"
}

# kubelet is restarted, the driver is killed: the pod's volume stays, and the pod can go while no driver is there.
case_a_flex_volume_outlives_kubelet_and_the_driver() {
    knows_node || return 0
    local mounts
    mounts=$(mounts)
    in_node systemctl restart kubelet
    kubectl --namespace war-vol delete pods --selector app.kubernetes.io/component=node --wait > /dev/null
    kubectl --namespace war-vol rollout status daemonset/war-vol-node --timeout 120s > /dev/null ||
        explain "the driver does not come back"
    [ "$(mounts)" = "$mounts" ] || fail "there were the mounts $mounts, and now $(mounts)"
    in_space exec javaweb-2 -- ls /usr/local/tomcat/webapps | grep -qx sample.war || fail "the pod lost its WAR"
}

mounts() { volumes_of_the_node | grep ^/var/lib/kubelet; }

case_of_a_flex_volume_nothing_is_left() {
    in_space delete pods --selector '!app' --grace-period 1 --wait --timeout 120s > /dev/null
    knows_node || return 0
    must_leave_nothing
}

case_an_init_container_does_without_a_driver() {
    local token
    sample_is_served
    example init-container.yaml | sed "s#image: war-vol:.*#image: $image\n    imagePullPolicy: Never#" |
        in_space apply -f - > /dev/null
    is_ready sample-init
    says sample-init sample/ "$token"
}
