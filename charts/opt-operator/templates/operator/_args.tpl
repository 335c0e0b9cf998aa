{{- define "opt-operator.args" -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.health.port)) }}
{{- fail (printf "metrics.port and health.port must differ; both are %d" (int .Values.health.port)) }}
{{- end -}}
- --leader-elect
- --leader-election-namespace={{ .Release.Namespace }}
- --leader-election-id={{ include "opt-operator.fullname" . }}
{{- if eq .Values.scope "namespace" }}
- --namespace={{ .Release.Namespace }}
{{- end }}
- --health-port={{ .Values.health.port }}
- --metrics-port={{ ternary .Values.metrics.port 0 .Values.metrics.enabled }}
{{- end }}
