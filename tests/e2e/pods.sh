# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# Sourced by run.sh: the words of the cases. $space is the namespace of the file that runs.

in_space() { kubectl --namespace "$space" "$@"; }

in_node() { docker exec "$WAR_VOL_NODE" "$@"; }

# Where the origin of this namespace is; it serves files by: origin NAME=FILE…
address() { echo "http://origin.$space.svc.cluster.local"; }
origin() { "$e2e/origin.sh" "$space" "$@"; }
# At a shell in the origin's container, whose files are in /srv: in_origin COMMAND…
in_origin() { in_space exec -i deployment/origin -- "$@"; }

# The example of a file, with the origin of this namespace in place of the documentation's, and the digits of its
# artifact where it leaves them to the reader: example FILE [SHA256]
example() {
    sed "s#https://example.com/v2#$(address)#${2:+; s/sha256:<[^>]*>/sha256:$2/}" "$top/deploy/examples/$1"
}

# The YAML of a pod that waits: waiting_pod NAME SPEC CONTAINER VOLUME…
# SPEC and CONTAINER are lines that these say too, or nothing; a VOLUME is NAME=YAML, mounted at /NAME, and NAME:ro=YAML
# is one whose mount is read-only.
waiting_pod() {
    local volume name mounts="" volumes=""
    for volume in "${@:4}"; do
        name=${volume%%=*}
        mounts+="{ name: ${name%:ro}, mountPath: /${name%:ro}"
        [[ $name != *:ro ]] || mounts+=", readOnly: true"
        mounts+=" }, "
        volumes+="{ name: ${name%:ro}, ${volume#*=} }, "
    done
    cat << YAML
---
apiVersion: v1
kind: Pod
metadata: { name: $1 }
spec:
  $2
  terminationGracePeriodSeconds: 0
  containers:
  - name: waiting
    image: busybox:1
    imagePullPolicy: IfNotPresent
    command: [sleep, "1000000"]
    $3
    volumeMounts: [$mounts]
  volumes: [$volumes]
YAML
}

# An inline volume: inline FILE-OF-THE-ORIGIN [ATTRIBUTE: VALUE, …] [readOnly: true]
inline() {
    printf 'csi: { driver: war-vol.geektime.org, %svolumeAttributes: { downloadURL: "%s"%s } }\n' \
        "${3:+$3, }" "$(address)/$1" "${2:+, $2}"
}

# What a pod says when it does not come up.
explain() {
    in_space get pods -o wide >&2 || true
    in_space get events --sort-by .lastTimestamp | tail -n 15 >&2 || true
    kubectl --namespace war-vol logs daemonset/war-vol-node --tail 15 2> /dev/null | cut -c1-400 >&2 || true
    fail "$1; see above"
}

is_ready() {
    in_space wait "pod/$1" --for condition=Ready --timeout "${2:-120}s" > /dev/null || explain "the pod $1 is not ready"
}

# A page of a pod's web server, through the API server: page POD PATH
page() { kubectl get --raw "/api/v1/namespaces/$space/pods/$1:8080/proxy/$2"; }

says() { page "$1" "$2" | grep -q "$3" || fail "$1 does not serve $3 at $2"; }

# Ids of the node are not those of the pod.
is_in_user_namespace() {
    local first
    read -r _ first _ < <(in_space exec "$1" -- cat /proc/self/uid_map)
    [ "$first" -gt 0 ] || fail "$1 has the ids of the node"
}

# An event says it: of any object, or of one: event_says WORDS [NAME]
event_says() {
    in_space get events ${2:+--field-selector "involvedObject.name=$2"} \
        -o jsonpath='{range .items[*]}{.message}{"\n"}{end}' | grep -q -- "$1"
}

# Mounts of the driver in the node, by what mountinfo calls their source.
mounts_left() { in_node sh -c 'grep -c war-vol: /proc/1/mountinfo || true'; }
