{{- define "opt-operator.args" -}}
- --leader-elect
- --leader-election-namespace={{ .Release.Namespace }}
- --leader-election-id={{ include "opt-operator.fullname" . }}
{{- if eq .Values.scope "namespace" }}
- --namespace={{ .Release.Namespace }}
{{- end }}
- --health-port={{ .Values.health.port }}
- --metrics-port={{ ternary .Values.metrics.port 0 .Values.metrics.enabled }}
{{- end }}
