#!/bin/bash
# tests/e2e/client.sh NAMESPACE NAME URL: a pod client-NAME in NAMESPACE that asks URL 20 times a second, whatever becomes of
# what it asked before, and notes a line in /tmp/ok for each answer, or one in /tmp/lost.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
space=${1:?name a namespace}

kubectl --namespace "$space" apply -f - > /dev/null << YAML
apiVersion: v1
kind: Pod
metadata: { name: client-$2 }
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: client
    image: busybox:1
    imagePullPolicy: IfNotPresent
    command: [sh, -c]
    args:
    - |
      while :; do
        (if timeout 30 wget -q -O /dev/null $3 2>> /tmp/why; then echo >> /tmp/ok; else echo >> /tmp/lost; fi) &
        sleep 0.05
      done
YAML
kubectl --namespace "$space" wait "pod/client-$2" --for condition=Ready --timeout 120s > /dev/null ||
    fail "the client does not start; check with: kubectl -n $space describe pod client-$2"
