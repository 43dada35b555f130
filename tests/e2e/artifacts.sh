#!/bin/bash
# tests/e2e/artifacts.sh NAME=FILE…: an origin in the cluster that serves FILEs, of up to a megabyte together, at
# http://origin.war-vol-artifacts.svc.cluster.local/NAME. Called again it serves others.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=settings.sh
source "$(dirname "${BASH_SOURCE[0]}")/settings.sh"

# shellcheck disable=SC1090 # cluster.sh writes it
source "$exports"
space=war-vol-artifacts

kubectl get namespace "$space" > /dev/null 2>&1 || kubectl create namespace "$space" > /dev/null
# Its name changes with what is in it, so that a pod never serves what it was.
files=()
for pair in "$@"; do files+=("--from-file=$pair"); done
hash=$(for pair in "$@"; do sha256sum < "${pair#*=}"; echo "$pair"; done | sha256sum | cut -c1-10)
kubectl --namespace "$space" get configmap "files-$hash" > /dev/null 2>&1 ||
    kubectl --namespace "$space" create configmap "files-$hash" "${files[@]}" > /dev/null
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
      containers:
      - name: origin
        image: busybox:1
        imagePullPolicy: IfNotPresent
        command: [httpd, -f, -p, "8080", -h, /srv]
        readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 }
        volumeMounts: [{ name: files, mountPath: /srv }]
      volumes: [{ name: files, configMap: { name: "files-$hash" } }]
YAML
kubectl --namespace "$space" rollout status deployment/origin --timeout 90s > /dev/null ||
    fail "the origin does not start; see it with: kubectl -n $space describe pods"
