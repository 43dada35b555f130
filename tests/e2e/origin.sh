#!/bin/bash
# tests/e2e/origin.sh NAMESPACE NAME=FILE…: an origin in NAMESPACE, which must be there, that serves FILEs at
# http://origin.NAMESPACE.svc.cluster.local/NAME. Called again it serves these too; each appears whole or not at all.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
space=${1:?name a namespace}
shift

kubectl --namespace "$space" apply -f - > /dev/null << YAML
apiVersion: v1
kind: Service
metadata: { name: origin }
spec:
  selector: { app: origin }
  ports: [{ port: 80, targetPort: 8080 }]
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: origin }
spec:
  selector: { matchLabels: { app: origin } }
  strategy: { type: Recreate }
  template:
    metadata: { labels: { app: origin } }
    spec:
      terminationGracePeriodSeconds: 0
      automountServiceAccountToken: false
      containers:
      - name: origin
        image: busybox:1
        imagePullPolicy: IfNotPresent
        command: [httpd, -f, -p, "8080", -h, /srv]
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
        volumeMounts: [{ name: files, mountPath: /srv }]
      volumes: [{ name: files, emptyDir: {} }]
YAML
kubectl --namespace "$space" rollout status deployment/origin --timeout 90s > /dev/null ||
    fail "the server does not start; check with: kubectl -n $space describe pods"
for pair in "$@"; do
    # shellcheck disable=SC2016 # the shell in the pod fills it in
    kubectl --namespace "$space" exec -i deployment/origin -- \
        sh -c 'mkdir -p "$(dirname "/srv/$0")" && cat > /srv/.new && chmod 755 /srv/.new && mv /srv/.new "/srv/$0"' \
        "${pair%%=*}" < "${pair#*=}"
done
