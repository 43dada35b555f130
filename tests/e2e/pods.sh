# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# Sourced by run.sh: the words of the cases. $space is the namespace of the file that runs.

in_space() { kubectl --namespace "$space" "$@"; }

in_node() { docker exec "$WAR_VOL_NODE" "$@"; }

# Whether the node can be looked into, which only that of a kind cluster can; says what is left out elsewhere.
knows_node() {
    [ -n "${WAR_VOL_NODE-}" ] || {
        say "SKIPPED, because this cluster's nodes cannot be inspected: a part of ${FUNCNAME[1]}"
        return 1
    }
}

# Whether Kubernetes is of this version or a newer one; says what is left out on an older one: since 1.30
since() {
    local version
    version=$(kubectl get --raw /version | sed -n 's/^ *"gitVersion": "v\([0-9.]*\).*/\1/p')
    is_at_least "$1" "${version:?the API server says no version}" || {
        say "SKIPPED, because Kubernetes $version is older than $1: a part of ${FUNCNAME[1]}"
        return 1
    }
}

is_at_least() { # WANTED FOUND
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# Of the node's container runtime.
containerd_version() { in_node containerd --version | sed 's/^.* v\([0-9.]*\).*/\1/'; }
runc_version() { in_node runc --version | sed -n 's/^runc version \([0-9.]*\).*/\1/p'; }

# Where the origin of this namespace is; it serves files by: origin NAME=FILE…
address() { echo "http://origin.$space.svc.cluster.local"; }
origin() { "$e2e/origin.sh" "$space" "$@"; }
# A new WAR is at the origin, as sample.war, and in $scratch; sets $token, the word of its page.
sample_is_served() {
    token=$(word)
    war "$scratch/sample.war" "$token"
    origin "sample.war=$scratch/sample.war"
}
# At a shell in the origin's container, whose files are in /srv: in_origin COMMAND…
in_origin() { in_space exec -i deployment/origin -- "$@"; }

# The same with manners that can be chosen: moody NAME=FILE… serves them below $(address)/cgi-bin/behaves, and
# behave NAME MANNER says how; see behaves.sh. How many answers had a body: asked NAME
moody() { origin "cgi-bin/behaves=$e2e/behaves.sh" "$@"; }
# shellcheck disable=SC2016 # the shell in the pod fills it in
behave() { in_origin sh -c 'echo "$1" > "/srv/$0.how.new" && mv "/srv/$0.how.new" "/srv/$0.how"' "$@"; }
asked() { in_origin sh -c "cat /srv/$1.asked 2> /dev/null | wc -l"; }

moody_url() { echo "$(address)/cgi-bin/behaves/$1"; }

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

# A pod that waits, with an artifact at /artifact: sleeper POD URL [ATTRIBUTE: VALUE]…
sleeper() { pod_of "$@" | in_space apply -f - > /dev/null; }
pod_of() {
    local more=""
    [ $# -lt 3 ] || printf -v more ', %s' "${@:3}"
    waiting_pod "$1" "" "" \
        "artifact=csi: { driver: war-vol.geektime.org, volumeAttributes: { downloadURL: \"$2\"$more } }"
}

# The same on a claim, whose volume an administrator made by hand: claim_by_hand CLAIM URL;
# on_claim CLAIM POD
claim_by_hand() {
    kubectl apply -f - > /dev/null << YAML
apiVersion: v1
kind: PersistentVolume
metadata: { name: $space-$1, labels: { war-vol-e2e: $space } }
spec:
  capacity: { storage: 1Gi }
  accessModes: [ReadOnlyMany]
  persistentVolumeReclaimPolicy: Retain
  storageClassName: ""
  claimRef: { namespace: $space, name: $1 }
  csi:
    driver: war-vol.geektime.org
    volumeHandle: $space-$1
    volumeAttributes:
      downloadURL: $2
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: $1, namespace: $space }
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: ""
  volumeName: $space-$1
  resources: { requests: { storage: 1Gi } }
YAML
}
on_claim() { waiting_pod "$2" "" "" "artifact=persistentVolumeClaim: { claimName: $1 }"; }

# The file of a sleeper's volume is this one, byte for byte: has POD NAME FILE
has() {
    in_space exec "$1" -- cat "/artifact/$2" | cmp - "$3" || fail "$1 has other bytes than the server"
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

# What changes with every restart.
lives() {
    in_space get pod "$1" --output \
        jsonpath='{.metadata.uid} {.status.containerStatuses[0].containerID} {.status.containerStatuses[0].restartCount}'
}

# The driver's pod, and a token of its service account: driver_token [FLAG…]
driver_pod() {
    kubectl --namespace war-vol get pods --selector app.kubernetes.io/component=node --output jsonpath='{.items[0].metadata.name}'
}
driver_token() { kubectl --namespace war-vol create token war-vol-node "$@"; }
# kubectl as whoever has a token: with_token TOKEN COMMAND…
with_token() {
    [ -e "$scratch/nobody" ] || kubectl config view --raw --minify | sed '/client-/d' > "$scratch/nobody"
    kubectl --kubeconfig "$scratch/nobody" --token "$1" "${@:2}"
}
# Whether a policy denies that, in these words.
is_denied() { # WORDS TOKEN COMMAND…
    local said
    said=$(with_token "${@:2}" 2>&1) && return 1
    grep -q "denied request: .*$1" <<< "$said" || {
        echo "$said" >&2
        return 1
    }
}

# A page of a pod's web server, through the API server: page POD PATH
page() { kubectl get --raw "/api/v1/namespaces/$space/pods/$1:8080/proxy/$2"; }

says() { page "$1" "$2" | grep -q "$3" || fail "$1 does not serve $3 at $2"; }

# A pod client-NAME that asks 20 times a second, and counts what is answered and what is lost: client NAME URL
client() { "$e2e/client.sh" "$space" "$@"; }
# How many were ok, or lost: answers NAME ok|lost
answers() { in_space exec "client-$1" -- sh -c "cat /tmp/$2 2> /dev/null | wc -l"; }
has_asked() { [ "$(answers "$1" ok)" -ge "$2" ]; } # NAME NUMBER

# Ids of the node are not those of the pod.
is_in_user_namespace() {
    local first
    read -r _ first _ < <(in_space exec "$1" -- cat /proc/self/uid_map)
    [ "$first" -gt 0 ] || fail "$1 has the IDs of the node"
}

# The version that the Secret of the examples names; kubelet publishes again at once after a change of the pod.
wanted() { # VERSION POD
    in_space patch secret sample-release --patch "{\"stringData\":{\"version\":\"$1\"}}" > /dev/null
    in_space annotate pod "$2" --overwrite "wanted=$1" > /dev/null
}

# An event says it: of any object, or of one: event_says WORDS [NAME]
event_says() {
    in_space get events ${2:+--field-selector "involvedObject.name=$2"} \
        -o jsonpath='{range .items[*]}{.message}{"\n"}{end}' | grep -q -- "$1"
}

# The driver's log says it, lately.
driver_says() { kubectl --namespace war-vol logs daemonset/war-vol-node --container war-vol --since 5m | grep -- "$1" > /dev/null; }

# A pod's page has the word: serves POD PATH WORD
serves() { page "$1" "$2" 2> /dev/null | grep "$3" > /dev/null; }

# What pods have in the node, a line each: where volumes are mounted, directories of volumes, blobs that something links.
volumes_of_the_node() {
    in_node sh -c '
        sed -n "/war-vol:\|geektime~war-vol\|kubernetes.io~csi.*war-vol/s/^\([^ ]* \)\{4\}\([^ ]*\).*/\2/p" /proc/1/mountinfo
        ls -d /var/lib/kubelet/pods/*/volumes/geektime~war-vol/* 2> /dev/null
        cd /var/lib/war-vol/v1 && find volumes trash partial -mindepth 1 -maxdepth 1 && find blobs -type f -links +1
    ' | LC_ALL=C sort -u
}
# What pods of the cases have left of it. What was there before is others', such as the pod of the demo.
left() {
    local now
    now=$(volumes_of_the_node) || return
    LC_ALL=C comm -13 <(echo "$of_others") - <<< "$now"
}
# A node that does not answer has not nothing left.
nothing_is_left() {
    local now
    now=$(left) && [ -z "$now" ]
}
must_leave_nothing() {
    until_true 60 nothing_is_left || {
        left >&2
        fail "the node still has what is listed above"
    }
}
