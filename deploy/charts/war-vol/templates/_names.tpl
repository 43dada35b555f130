{{- define "war-vol.image" -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end }}

{{- define "war-vol.labels" -}}
app.kubernetes.io/name: war-vol
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "war-vol.selector" -}}
app.kubernetes.io/name: war-vol
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{/* How the operator's Prometheus reads a pod's metrics; the alerts and the dashboard tell nodes apart by `node`. */}}
{{- define "war-vol.scrape" -}}
port: http
path: /metrics
interval: {{ .interval }}
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
