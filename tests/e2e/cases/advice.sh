# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# What docs/troubleshooting.md advises where the words are kubelet's or Kubernetes' own: followed, and seen to help.

case_a_number_is_taken_once_it_is_written_in_quotes() {
    artifact
    said=$(pod_of number "$(address)/thing.bin" 'maxSize: 500000' | in_space apply -f - 2>&1) &&
        fail "a number was taken for a text"
    grep -q 'cannot unmarshal number into Go struct field .*volumeAttributes of type string' <<< "$said" || fail "$said"
    sleeper number "$(address)/thing.bin" 'maxSize: "500000"'
    is_ready number
}

case_a_secret_that_is_missing_is_waited_for() {
    artifact
    waiting_pod secretive "" "" "artifact=$(inline thing.bin "" "nodePublishSecretRef: { name: origin }")" |
        in_space apply -f - > /dev/null
    until_true 60 event_says 'fetching NodePublishSecretRef .*origin.* failed' secretive ||
        explain "no event says that the Secret is missing"
    in_space create secret generic origin --from-literal token=sesame > /dev/null
    is_ready secretive
}

case_the_names_of_wars_are_paths_and_root_is_the_shortest() {
    local token
    sample_is_served
    example tomcat-inline.yaml | sed 's#\( *\)downloadURL:.*#&\n\1fileName: ROOT.war#; s#path: /sample/#path: /#' |
        in_space apply -f - > /dev/null
    is_ready sample
    says sample "" "$token"
    ! page sample sample/ > /dev/null 2>&1 || fail "it is at /sample/ all the same"
}

# Of another name than the pod's: the chart is not there, or says driverName.
case_a_driver_that_no_object_names_is_used_once_it_has_one() {
    artifact
    trap '"$e2e/install.sh"' EXIT
    kubectl delete csidriver war-vol.geektime.org > /dev/null
    sleeper unnamed "$(address)/thing.bin"
    until_true 60 event_says 'volume mode "Ephemeral" not supported by driver war-vol.geektime.org (no CSIDriver object)' \
        unnamed || explain "no event says that there is no CSIDriver"
    # Helm takes what it has made for unchanged.
    "$e2e/uninstall.sh"
    "$e2e/install.sh"
    trap - EXIT
    is_ready unnamed
}

case_a_claim_waits_until_somebody_provisions() {
    artifact
    trap '"$e2e/install.sh"' EXIT
    "$e2e/install.sh" controller.enabled=false
    kubectl apply -f - > /dev/null << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space-lonely, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters: { downloadURL: '$(address)/thing.bin' }
YAML
    in_space apply -f - > /dev/null << YAML
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: lonely }
spec:
  storageClassName: $space-lonely
  accessModes: [ReadOnlyMany]
  resources: { requests: { storage: 1Gi } }
YAML
    until_true 60 event_says 'a volume to be created either by the external provisioner .*war-vol.geektime.org.* or manually' \
        lonely || explain "no event says that nobody provisions"
    "$e2e/install.sh"
    trap - EXIT
    in_space wait pvc/lonely --for jsonpath='{.status.phase}'=Bound --timeout 60s > /dev/null ||
        explain "the claim is not bound"
}

artifact() {
    head -c 20000 /dev/urandom > "$scratch/thing.bin"
    origin "thing.bin=$scratch/thing.bin"
}
