# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The chart grants no right that is not used: its roles against what the API server wrote down of its service accounts.
# It runs last, so that it sees what all others did; what it needs itself, it does.

roles() {
    kubectl get clusterroles,roles,clusterrolebindings,rolebindings --all-namespaces --output json \
        --selector app.kubernetes.io/name=war-vol "$@"
}

# VERB RESOURCE of each account that the chart's bindings name, a line each; a resource outside the core has its group.
granted() {
    roles | jq -r '
        (.items | map(select(.rules)) | map({key: "\(.kind)/\(.metadata.name)", value: .rules}) | from_entries) as $roles
        | .items[] | select(.roleRef) | .subjects[].name as $account
        | $roles["\(.roleRef.kind)/\(.roleRef.name)"][] | .verbs[] as $verb | .apiGroups[] as $group | .resources[]
        | "\($account) \($verb) \(.)\(if $group == "" then "" else ".\($group)" end)"' | sort -u
}

# What the API server noted of them: LINES of a jq program, which says what to print.
noted() {
    in_node sh -c 'grep -hF \"username\":\"system:serviceaccount:war-vol: /var/log/kubernetes/audit*.log' |
        jq -rR 'fromjson? | select(.objectRef) | . as {$verb, objectRef: $of}
            | "\(.user.username | split(":")[3]) \($verb) \($of.resource)\(
                if $of.subresource then "/\($of.subresource)" else "" end)\(
                if $of.apiGroup then ".\($of.apiGroup)" else "" end)" as $act
            | .annotations["authorization.k8s.io/decision"] as $decision | '"$1" | sort -u
}

# Whatever was refused before the roles became what they are does not count.
refused() {
    local since
    since=$(roles --show-managed-fields | jq -r '[.items[].metadata
            | .creationTimestamp, (.managedFields[]?.time | values)] | max')
    noted "select(\$decision == \"forbid\" and .requestReceivedTimestamp > \"$since\") | \$act"
}

listed() { awk -v when="$1" '$1 ~ when { print $2, $3, $4 }' "$e2e/cases/last/rights.txt" | sort -u; } # PATTERN

# Nothing of this kind is there; else $wrong says that something was: none WHAT LINES
none() {
    [ -n "$2" ] || return 0
    say "$1:"$'\n'"$2"
    wrong=yes
}

# Each verb that a provisioner uses, in one short life of a claim, and of one that fails again and again.
use_them_all() {
    local name
    for name in good bad; do
        kubectl apply -f - > /dev/null << YAML
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: $space-$name, labels: { war-vol-e2e: $space } }
provisioner: war-vol.geektime.org
parameters: { downloadURL: 'https://example.com/sample.war' $([ $name = good ] || echo ', csi.storage.k8s.io/unknown: value') }
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata: { name: $name, namespace: $space }
spec:
  storageClassName: $space-$name
  accessModes: [ReadOnlyMany]
  resources: { requests: { storage: 1Mi } }
YAML
    done
    in_space wait pvc/good --for jsonpath='{.status.phase}'=Bound --timeout 60s > /dev/null
    in_space delete pvc good > /dev/null
    until_true 60 failed_twice || fail "the event of a claim that fails is not counted up"
}
failed_twice() {
    in_space get events --field-selector involvedObject.name=bad,reason=Provisioning \
        -o jsonpath='{.items[*].count}' | grep -q '[2-9]'
}

case_the_chart_grants_what_is_used_and_nothing_else() {
    local wrong=""
    knows_node || return 0
    "$top/tests/tools.sh" --system jq:jq >&2
    use_them_all
    granted > "$scratch/granted"
    grep -q ' create persistentvolumes$' "$scratch/granted" || fail "the chart's roles are not found"
    listed '^(never|sometimes)$' > "$scratch/listed"
    # The last of it is written when it has happened.
    until_true 30 all_is_seen || none "granted, and nobody used it; take it away, or list it in rights.txt" "$(unseen)"
    none "listed in rights.txt as never used, and used" "$(comm -12 <(listed '^never$') "$scratch/seen")"
    none "listed in rights.txt, and not granted" "$(comm -13 "$scratch/granted" "$scratch/listed")"
    none "refused by the API server" "$(refused)"
    [ -z "$wrong" ] || fail "the chart's roles are not what is used; see above"
}
unseen() { comm -23 "$scratch/granted" <(sort -u "$scratch/seen" "$scratch/listed"); }
# shellcheck disable=SC2016 # jq fills them in
all_is_seen() {
    noted 'select($decision == "allow") | $act' > "$scratch/seen"
    [ -z "$(unseen)" ]
}
