# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# StorageClass and claim, through the real external-provisioner.

# A StorageClass of this namespace: class NAME PARAMETERS; $options are its mount options, $binding when it binds.
class() {
    kubectl apply -f - > /dev/null << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space-$1, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters: { $2 }
mountOptions: [${options-}]
volumeBindingMode: ${binding:-Immediate}
YAML
}

claim() { # NAME CLASS [MODE] [SIZE]
    in_space apply -f - > /dev/null << YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: $1 }
spec:
  storageClassName: $space-$2
  accessModes: [${3:-ReadOnlyMany}]
  resources: { requests: { storage: ${4:-1Gi} } }
YAML
}

# A pod that has a claim at /artifact and waits: holder NAME CLAIM [true], which is the claim's readOnly in the pod
holder() {
    local volume="persistentVolumeClaim: { claimName: $2, readOnly: ${3:-false} }"
    waiting_pod "$1" "automountServiceAccountToken: false" "" "artifact=$volume" | in_space apply -f - > /dev/null
}

at() { in_space exec "$1" -- sh -c "$2" 2>&1; } # POD COMMAND

reads() { # POD FILE WORD
    local shown
    shown=$(at "$1" "cat /artifact/$2")
    [ "$shown" = "$3" ] || fail "$1 reads '$shown' in $2, not '$3'"
}

volume_of() { in_space get pvc "$1" -o jsonpath='{.spec.volumeName}'; }

is_bound() {
    in_space wait "pvc/$1" --for jsonpath='{.status.phase}'=Bound --timeout 60s > /dev/null || {
        in_space describe pvc "$1" | tail -n 15 >&2
        fail "the claim $1 is not bound; see above"
    }
}

# `kubectl describe pvc` says it, and nothing was made for the claim.
is_refused() { # CLAIM WORDS
    until_true 60 described "$@" || {
        in_space describe pvc "$1" | tail -n 15 >&2
        fail "that does not say: $2"
    }
    ! kubectl get pv -o jsonpath='{range .items[*]}{.spec.claimRef.namespace}/{.spec.claimRef.name}{"\n"}{end}' |
        grep -qx "$space/$1" || fail "a volume was made for the claim $1 after all"
}
described() { in_space describe pvc "$1" | grep -qF -- "$2"; }

case_tomcat_serves_the_war_of_a_claim() {
    local token
    sample_is_served
    example tomcat-claim.yaml | in_space apply -f - > /dev/null
    kubectl label --overwrite storageclass sample-v2 "war-vol-e2e=$space" > /dev/null
    is_ready sample-claim
    says sample-claim sample/ "$token"
    in_space delete pod sample-claim --grace-period 1 > /dev/null
}

# Whatever its access mode, and whether or not the pod says readOnly, which are two kinds of mount.
case_the_pods_of_one_claim_read_it_and_none_can_write() {
    local token pod command said
    token=$(word)
    echo "$token" > "$scratch/token"
    origin "token=$scratch/token"
    class plain "downloadURL: '$(address)/token'"
    claim many plain
    claim once plain ReadWriteOnce
    for pod in a b; do
        holder "many-$pod" many true
        holder "once-$pod" once
    done
    for pod in {many,once}-{a,b}; do
        is_ready "$pod"
        reads "$pod" token "$token"
        for command in 'echo mine > /artifact/new' 'echo mine >> /artifact/token' 'rm /artifact/token'; do
            if said=$(at "$pod" "$command"); then fail "$pod could do: $command"; fi
            grep -q 'Read-only file system' <<< "$said" || fail "$pod is told at '$command': $said"
        done
    done
    reads many-a token "$token"
    in_space delete pods {many,once}-{a,b} > /dev/null
}

case_scratch_is_written_by_each_pod_for_itself() {
    local token
    token=$(word)
    echo "$token" > "$scratch/token"
    origin "token=$scratch/token"
    # As many do who have real disks: bound when the first pod has a node.
    binding=WaitForFirstConsumer class scratch "downloadURL: '$(address)/token', writable: scratch"
    claim scratch scratch ReadWriteOnce
    holder first scratch
    holder second scratch
    is_ready first
    is_ready second
    at first 'echo mine > /artifact/new && echo mine > /artifact/token' || fail "the first pod cannot write"
    reads first token mine
    reads second token "$token"
    [ "$(at second 'ls /artifact')" = token ] || fail "the second pod sees: $(at second 'ls /artifact')"
    # What was written goes with its pod.
    in_space delete pod first > /dev/null
    holder first scratch
    is_ready first
    reads first token "$token"
    in_space delete pods first second > /dev/null
}

case_a_mistake_in_the_class_shows_at_the_claim() {
    local url
    url="downloadURL: '$(address)/token'"
    class misspelled "$url, checkSum: sha256:00"
    class unpinned "$url, checksum: md5:d41d8cd98f00b204e9800998ecf8427e"
    class nothing "fileName: token"
    class formatted "$url, fsType: ext4"
    options=noexec class optioned "$url"
    class plain "$url"
    for class in misspelled unpinned nothing formatted optioned; do claim "$class" "$class"; done
    claim shared plain ReadWriteMany
    is_refused misspelled 'unknown attribute "checkSum" (did you mean checksum?)'
    is_refused unpinned 'the attribute checksum:'
    is_refused nothing 'the attribute downloadURL is missing'
    is_refused formatted 'csi.storage.k8s.io/fstype'
    is_refused optioned 'the mount option "noexec" is not supported; supported options: ro,'
    is_refused shared 'use ReadWriteOnce, ReadWriteOncePod or ReadOnlyMany'
}

case_a_claim_is_bound_when_its_class_is_mended() {
    class mended "downloadUrl: '$(address)/token'"
    claim waiting mended
    is_refused waiting 'did you mean downloadURL?'
    kubectl delete storageclass "$space-mended" > /dev/null
    class mended "downloadURL: '$(address)/token'"
    is_bound waiting
}

case_the_size_of_a_claim_limits_the_artifact() {
    head -c 3000000 /dev/zero > "$scratch/large"
    origin "large=$scratch/large"
    class large "downloadURL: '$(address)/large'"
    claim small large ReadOnlyMany 1Mi
    claim roomy large ReadOnlyMany 4Mi
    holder small small
    holder roomy roomy
    is_ready roomy
    until_true 60 event_says 'too large: .* exceeds .*maxSize' small || explain "no event says which limit it was"
    in_space delete pods small roomy > /dev/null
}

case_a_volume_goes_with_its_claim() {
    local volume
    class plain "downloadURL: '$(address)/token'"
    claim short plain
    is_bound short
    volume=$(volume_of short)
    kubectl get pv "$volume" > /dev/null
    in_space delete pvc short --wait --timeout 60s > /dev/null
    kubectl wait "pv/$volume" --for delete --timeout 60s > /dev/null || fail "the volume $volume is still there"
}

# The other one takes over when the leader's lease has run out.
case_a_new_leader_provisions() {
    local leader
    [ "$(kubectl --namespace war-vol get deployment war-vol-controller -o jsonpath='{.spec.replicas}')" -gt 1 ] ||
        fail "there is one controller, and nobody to take over"
    leader=$(leader)
    kubectl --namespace war-vol delete pod "$leader" --grace-period 1 > /dev/null
    class plain "downloadURL: '$(address)/token'"
    claim led plain
    is_bound led
    [ "$(leader)" != "$leader" ] || fail "$leader leads on, although it was deleted"
    in_space delete pvc led > /dev/null
}
leader() { kubectl --namespace war-vol get lease war-vol-geektime-org -o jsonpath='{.spec.holderIdentity}'; }
