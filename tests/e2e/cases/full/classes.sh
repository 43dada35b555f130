# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# VolumeAttributesClasses, through the real external-resizer: what is installed for that goes again.

case_another_class_changes_what_a_running_pod_sees_and_a_wrong_one_is_said_at_the_claim() {
    local before
    since 1.34 || return 0
    classes_are_followed
    head -c 100000 /dev/urandom > "$scratch/1.bin"
    head -c 200000 /dev/urandom > "$scratch/2.bin"
    origin "v1/thing.bin=$scratch/1.bin" "v2/thing.bin=$scratch/2.bin"
    channel v1 "downloadURL: $(address)/v1/thing.bin"
    channel v2 "downloadURL: $(address)/v2/thing.bin"
    channel wrong "downloadUrl: $(address)/v2/thing.bin"
    claim_of_channel v1 | in_space apply -f - > /dev/null
    waiting_pod reader "" "" "artifact:ro=persistentVolumeClaim: { claimName: channelled, readOnly: true }" |
        in_space apply -f - > /dev/null
    is_ready reader
    has reader thing.bin "$scratch/1.bin"
    before=$(lives reader)

    follow v2
    until_true 60 has reader thing.bin "$scratch/2.bin" || explain "the pod does not see what the class v2 says"
    until_true 20 event_says 'volume .*: now .*/v2/thing.bin .*, before .*/v1/thing.bin' reader ||
        explain "no event says that the content changed"
    [ "$(current)" = "$space-v2" ] || fail "the claim's current class is $(current)"

    follow wrong
    until_true 60 is_infeasible || explain "the claim does not say that the class is wrong: $(in_space get pvc channelled -o yaml)"
    until_true 20 event_says 'unknown attribute \\*"downloadUrl\\*" (did you mean downloadURL?)' channelled ||
        explain "no event of the claim says what is wrong with the class"
    has reader thing.bin "$scratch/2.bin"

    follow v1
    until_true 60 has reader thing.bin "$scratch/1.bin" || explain "the pod does not see the version before again"
    [ "$(lives reader)" = "$before" ] || fail "the pod or its container was restarted: $before, now $(lives reader)"
}

# Without internet it is built from its Go module.
classes_are_followed() {
    trap 'remove_channels; "$e2e/install.sh"' EXIT
    "$e2e/cluster.sh" make "registry.k8s.io/sig-storage/csi-resizer:v$("$e2e/offline/binaries.sh" --version resizer)"
    "$e2e/install.sh" node.upgrade.classes=true
}

# In use, a class is protected.
remove_channels() {
    in_space delete pod reader --ignore-not-found > /dev/null || true
    in_space delete pvc channelled --ignore-not-found > /dev/null || true
    kubectl delete volumeattributesclasses --selector "war-vol-e2e=$space" --wait=false > /dev/null || true
}

channel() { # NAME PARAMETERS
    kubectl apply -f - > /dev/null << YAML
apiVersion: storage.k8s.io/v1
kind: VolumeAttributesClass
metadata: { name: $space-$1, labels: { war-vol-e2e: $space } }
driverName: war-vol.geektime.org
parameters: { $2 }
YAML
}

# The StorageClass says when, and the other class what.
claim_of_channel() { # NAME
    cat << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters: { settle: 0s, spread: 0s }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: channelled }
spec:
  accessModes: [ReadOnlyMany]
  storageClassName: $space
  volumeAttributesClassName: $space-$1
  resources: { requests: { storage: 1Gi } }
YAML
}

follow() { # NAME
    in_space patch pvc channelled --patch "{\"spec\":{\"volumeAttributesClassName\":\"$space-$1\"}}" > /dev/null
}

current() { in_space get pvc channelled --output jsonpath='{.status.currentVolumeAttributesClassName}'; }

is_infeasible() {
    [ "$(in_space get pvc channelled --output jsonpath='{.status.modifyVolumeStatus.status}')" = Infeasible ]
}
