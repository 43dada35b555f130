#!/bin/bash
# tests/e2e/demo.sh: a Tomcat that never knew the WAR serves it, on the cluster that is up; prints what to try next.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"
# shellcheck source-path=SCRIPTDIR source=wars.sh
source "$e2e/wars.sh"
# shellcheck source-path=SCRIPTDIR source=pods.sh
source "$e2e/pods.sh"

# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
space=war-vol-demo
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

token=$(word)
say "making a WAR whose page says $token"
war "$scratch/sample.war" "$token"
kubectl get namespace "$space" > /dev/null 2>&1 || kubectl create namespace "$space" > /dev/null
origin "sample.war=$scratch/sample.war"
say "applying deploy/examples/tomcat-inline.yaml"
in_space delete pod sample --ignore-not-found --wait > /dev/null
example tomcat-inline.yaml | in_space apply -f - > /dev/null
in_space wait pod/sample --for condition=Ready --timeout 120s > /dev/null || {
    in_space describe pod sample | tail -n 20 >&2
    fail "the pod is not ready; see above"
}
printf '\nWhat Tomcat serves:\n\n%s\n' "$(page sample sample/)"
page sample sample/ | grep -q "$token" || fail "that is not the page with $token"
printf '\nWhat kubectl -n %s describe pod sample says:\n\n' "$space"
in_space describe pod sample | sed -n '/^Volumes:/,/^  kube-api/p; /^Events:/,$p'
cat << WORDS

The cluster is yours. In this shell:  source $exports
  kubectl get pods -A
  kubectl -n $space exec sample -- ls -l /usr/local/tomcat/webapps
  kubectl -n war-vol exec daemonset/war-vol-node -- war-vol volumes
  deploy/examples/tomcat-inline.yaml with a URL of your own: kubectl apply -f …
make demo-down removes all of it.
WORDS
