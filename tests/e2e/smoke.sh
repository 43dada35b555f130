#!/bin/bash
# tests/e2e/smoke.sh: the cluster is what the tests need, before anything of ours is in it. It must be up.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

[ -e "$exports" ] || fail "no cluster is up; create it with: tests/e2e/cluster.sh up"
# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
[ -n "${WAR_VOL_NODE-}" ] || fail "this looks into the node, which only a kind cluster allows"

space=war-vol-smoke
token=$(od -An -N8 -tx1 /dev/urandom | tr -d ' \n')
in_space() { kubectl --namespace "$space" "$@"; }
in_node() { docker exec "$WAR_VOL_NODE" "$@"; }

clean() {
    kubectl delete namespace "$space" --ignore-not-found --wait --timeout 90s > /dev/null
    in_node sh -c 'umount /var/lib/kubelet/war-vol-smoke && rmdir /var/lib/kubelet/war-vol-smoke' 2> /dev/null || true
}

# What a pod says when it does not come up.
explain() {
    in_space describe pods | tail -n 30 >&2
    fail "$1; see above"
}

at_least() { # NAME WANTED FOUND
    [ "$(printf '%s\n%s\n' "$2" "$3" | sort -V | head -n 1)" = "$2" ] ||
        fail "$1 is $3 in the node; below $2 it hides the faults that the tests look for"
    say "$1 $3"
}

# Older ones hide the faults that matter: they keep a bind read-only for a pod that could write it (runc#4824).
runtime_is_new_enough() {
    at_least containerd 2.1 "$(in_node containerd --version | sed 's/^.* v\([0-9.]*\).*/\1/')"
    at_least runc 1.3 "$(in_node runc --version | sed -n 's/^runc version \([0-9.]*\).*/\1/p')"
}

node_is_configured() {
    local shown
    shown=$(kubectl get nodes -o jsonpath='{.items[*].status.capacity.pods}')
    [ "$shown" = 250 ] || fail "the node takes $shown pods, not 250"
    shown=$(kubectl get --raw "/api/v1/nodes/$WAR_VOL_NODE/proxy/configz" | grep -o '"syncFrequency":"[^"]*"')
    [ "$shown" = '"syncFrequency":"10s"' ] || fail "kubelet has $shown, not 10s"
    kubectl get configmap "$token" > /dev/null 2>&1 || true
    until_true 20 in_node grep -q "\"name\":\"$token\"" /var/log/kubernetes/audit.log ||
        fail "what was asked of the API server is not in its audit log"
    say "250 pods, a look at volumes every 10 s, an audit log"
}

pod_runs() {
    in_space run busybox --image busybox:1 --restart Never --command -- \
        sh -c "nslookup kubernetes.default.svc.cluster.local > /dev/null && echo $token" > /dev/null
    in_space wait pod/busybox --for jsonpath='{.status.phase}'=Succeeded --timeout 90s > /dev/null ||
        explain "busybox does not run"
    [ "$(in_space logs busybox)" = "$token" ] || fail "busybox said something else"
    say "a pod runs, and finds names"
}

mount_reaches_the_node() {
    in_space apply -f - > /dev/null << END
apiVersion: v1
kind: Pod
metadata: { name: mounter }
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: mounter
    image: busybox:1
    command:
    - sh
    - -c
    - mkdir -p \$0 && mount -t tmpfs smoke \$0 && echo $token > \$0/token && exec sleep 3600
    - /var/lib/kubelet/war-vol-smoke
    securityContext: { privileged: true }
    volumeMounts:
    - { name: kubelet, mountPath: /var/lib/kubelet, mountPropagation: Bidirectional }
  volumes:
  - name: kubelet
    hostPath: { path: /var/lib/kubelet, type: Directory }
END
    in_space wait pod/mounter --for condition=Ready --timeout 90s > /dev/null ||
        explain "the privileged pod does not run"
    until_true 20 in_node grep -qx "$token" /var/lib/kubelet/war-vol-smoke/token ||
        explain "what the pod mounted is not seen in the node"
    say "what a privileged pod mounts below /var/lib/kubelet is seen in the node"
}

tomcat_answers() {
    local address
    in_space run tomcat --image tomcat:9-jre17 > /dev/null
    in_space wait pod/tomcat --for condition=Ready --timeout 300s > /dev/null || explain "Tomcat does not run"
    address=$(in_space get pod tomcat -o jsonpath='{.status.podIP}')
    until_true 90 in_node sh -c "curl -s --max-time 5 http://$address:8080/ | grep -q 'Apache Tomcat/9'" || {
        in_space logs tomcat | tail -n 20 >&2
        fail "Tomcat does not answer in the node; its last lines are above"
    }
    say "Tomcat answers over HTTP"
}

clean
trap clean EXIT
kubectl create namespace "$space" > /dev/null
until_true 30 in_space get serviceaccount default || fail "the namespace gets no service account"
runtime_is_new_enough
node_is_configured
pod_runs
mount_reaches_the_node
tomcat_answers
say "passed"
