# shellcheck shell=bash disable=SC2154 # run.sh and settings.sh say what is not said here
# The API server's own word on what the chart renders; that on the examples is in examples.sh.

# What comes on stdin is right to the last field, and nothing is made.
would_be_applied() { kubectl apply --dry-run=server --validate=strict --server-side --force-conflicts -f -; }

# With every option on that can be on at once; of the kinds of the Prometheus operator the cluster knows nothing.
rendered() {
    local helm version
    helm=$("$top/tests/tools.sh" --where helm)
    version=$(kubectl get --raw /version | sed -n 's/.*"gitVersion": "\([^"]*\)".*/\1/p')
    "$helm" template every "$top/deploy/charts/war-vol" --kube-version "$version" --namespace "$space" \
        --values "$e2e/everything.json" |
        awk 'BEGIN { RS = ORS = "---\n" } !/\napiVersion: monitoring\.coreos\.com\// { print }'
}

case_the_api_server_takes_the_chart_with_every_option_on() {
    local said kind
    said=$(rendered) || fail "it is not rendered; see above"
    said=$(would_be_applied <<< "$said") || fail "it is refused; see above"
    for kind in csidriver daemonset deployment clusterrole networkpolicy configmap; do
        grep -q "^${kind}[./]" <<< "$said" || fail "no $kind is among what is rendered"
    done
}

case_the_api_server_takes_the_plain_manifests() {
    would_be_applied < "$top/deploy/kubernetes/war-vol.yaml" > /dev/null || fail "they are refused; see above"
}
