{{/* What each object's name begins with: the release's, with the chart's where that does not say it already, so that an
umbrella chart may have others beside this one. */}}
{{- define "war-vol.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{ .Values.fullnameOverride | trunc 40 | trimSuffix "-" }}
{{- else if contains .Chart.Name .Release.Name -}}
{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else -}}
{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" }}
{{- end -}}
{{- end }}

{{- define "war-vol.namespace" -}}
{{ .Values.namespaceOverride | default .Release.Namespace }}
{{- end }}

{{/* A value that somebody has dropped (null) is the one that the program has, or Kubernetes. */}}
{{- define "war-vol.driver" -}}
{{ .Values.driverName | default "war-vol.geektime.org" }}
{{- end }}

{{/* A directory of the node: .dir, or where that is dropped .default; with or without a slash at its end. */}}
{{- define "war-vol.dir" -}}
{{ regexReplaceAll "/+$" (.dir | default .default) "" }}
{{- end }}

{{/* A number as it was written: Helm reads one of a file as if it had a fraction. */}}
{{- define "war-vol.number" -}}
{{ if kindIs "float64" . }}{{ . | int64 }}{{ else }}{{ . }}{{ end }}
{{- end }}

{{- define "war-vol.image" -}}
{{- $image := .Values.image | default dict -}}
{{- $registry := (.Values.global | default dict).imageRegistry | default $image.registry -}}
{{- $name := include "war-vol.image-of" (dict "registry" $registry "image" ($image.repository | default "war-vol")) -}}
{{- if $image.digest -}}
{{ $name }}@{{ $image.digest }}
{{- else -}}
{{ $name }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* One of others, where the registry of all images has it. */}}
{{- define "war-vol.image-of-others" -}}
{{ include "war-vol.image-of" (dict "registry" (.root.Values.global | default dict).imageRegistry "image" .image) }}
{{- end }}

{{/* .image in .registry, which takes the place of the registry that its name has; without one the image as it is. */}}
{{- define "war-vol.image-of" -}}
{{- if .registry -}}
{{ trimSuffix "/" .registry }}/{{ regexReplaceAll "^[^/]*[.:][^/]*/" .image "" }}
{{- else -}}
{{ .image }}
{{- end -}}
{{- end }}

{{- define "war-vol.labels" -}}
app.kubernetes.io/name: war-vol
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "war-vol.selector" -}}
app.kubernetes.io/name: war-vol
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* The service account of .part, which is node or controller. */}}
{{- define "war-vol.account" -}}
{{- $part := index .root.Values .part | default dict -}}
{{ ($part.serviceAccount | default dict).name | default (printf "%s-%s" (include "war-vol.fullname" .root) .part) }}
{{- end }}

{{- define "war-vol.service-account" -}}
{{- $part := index .root.Values .part | default dict -}}
{{- $account := $part.serviceAccount | default dict -}}
{{- if ne (toString $account.create) "false" }}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ include "war-vol.account" . }}
  namespace: {{ include "war-vol.namespace" .root }}
  labels:
    {{- include "war-vol.labels" .root | nindent 4 }}
  {{- with $account.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
---
{{- end }}
{{- end }}

{{/* What the pods of .part may have, as Kubernetes has it in a pod's spec. */}}
{{- define "war-vol.pod" -}}
{{- $part := index .root.Values .part | default dict -}}
{{- with concat (.root.Values.imagePullSecrets | default list) ((.root.Values.global | default dict).imagePullSecrets | default list) }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $part.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- if $part.hostNetwork }}
hostNetwork: true
{{- end }}
{{- with $part.dnsPolicy | default (ternary "ClusterFirstWithHostNet" "" ($part.hostNetwork | default false)) }}
dnsPolicy: {{ . }}
{{- end }}
{{- range $field := list "dnsConfig" "hostAliases" "nodeSelector" "tolerations" "affinity" "topologySpreadConstraints" }}
{{- with index $part $field }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* How the operator's Prometheus reads a pod's metrics; the alerts and the dashboard tell nodes apart by `node`. */}}
{{- define "war-vol.scrape" -}}
port: http
path: /metrics
{{- with .interval }}
interval: {{ . }}
{{- end }}
relabelings:
- sourceLabels: [__meta_kubernetes_pod_node_name]
  targetLabel: node
- sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]
  targetLabel: component
{{- end }}

{{/* The metrics, and kubelet's probes, which network plugins let through from the pod's own node. */}}
{{- define "war-vol.metrics-ingress" -}}
ports: [{ protocol: TCP, port: http }]
{{- with .metricsFrom }}
from:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Says something where VolumeAttributesClasses are followed. */}}
{{- define "war-vol.classes" -}}
{{- $upgrade := (.Values.node | default dict).upgrade | default dict -}}
{{- if and $upgrade.enabled $upgrade.classes -}}
followed
{{- end -}}
{{- end }}
