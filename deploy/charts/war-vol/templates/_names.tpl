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
