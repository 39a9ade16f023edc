{{- define "sloscore.name" -}}
{{- if contains .Chart.Name .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name .Chart.Name | trunc 52 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "sloscore.selector" -}}
app.kubernetes.io/name: sloscore
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "sloscore.labels" -}}
{{ include "sloscore.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end }}

{{- define "sloscore.metadata" -}}
name: {{ include "sloscore.name" . }}
namespace: {{ .Release.Namespace }}
labels:
  {{- include "sloscore.labels" . | nindent 2 }}
{{- end }}

{{- define "sloscore.settings" -}}
listen:
  host: 0.0.0.0
  port: 8520
  # Until the service's endpoints have forgotten the pod.
  drain: 5s
store:
  path: /var/lib/sloscore/sloscore.db
auth:
  token_file: /etc/sloscore/token/token
  tokens:
    - name: reader
      role: read
      token_file: /etc/sloscore/token/read-token
log:
  format: json
{{- end }}
