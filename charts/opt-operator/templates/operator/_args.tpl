{{- define "opt-operator.args" -}}
{{- if and .Values.metrics.enabled (eq (int .Values.metrics.port) (int .Values.health.port)) }}
{{- fail (printf "metrics.port and health.port must differ; both are %d" (int .Values.health.port)) }}
{{- end -}}
{{- $ports := list (int .Values.health.port) }}
{{- if .Values.metrics.enabled }}{{ $ports = append $ports (int .Values.metrics.port) }}{{ end }}
{{- if and (eq (include "opt-operator.webhooks" .) "true") (has (int .Values.webhooks.port) $ports) }}
{{- fail (printf "webhooks.port must differ from the other ports; it is %d" (int .Values.webhooks.port)) }}
{{- end -}}
{{- if eq (include "opt-operator.webhooks" .) "true" }}{{ $ports = append $ports (int .Values.webhooks.port) }}{{ end }}
{{- if and .Values.dashboard.enabled (has (int .Values.dashboard.port) $ports) }}
{{- fail (printf "dashboard.port must differ from the other ports; it is %d" (int .Values.dashboard.port)) }}
{{- end -}}
- --leader-elect
- --leader-election-namespace={{ .Release.Namespace }}
- --leader-election-id={{ include "opt-operator.fullname" . }}
{{- if eq .Values.scope "namespace" }}
- --namespace={{ .Release.Namespace }}
{{- end }}
- --health-port={{ .Values.health.port }}
- --dashboard-port={{ ternary .Values.dashboard.port 0 .Values.dashboard.enabled }}
- --metrics-port={{ ternary .Values.metrics.port 0 .Values.metrics.enabled }}
{{- if eq (include "opt-operator.webhooks" .) "true" }}
- --webhook-port={{ .Values.webhooks.port }}
- --webhook-names={{ include "opt-operator.fullname" . }}-webhooks.{{ .Release.Namespace }}.svc
{{- if .Values.webhooks.certManager.enabled }}
- --webhook-certificates=/etc/opt-operator/webhooks
{{- else }}
- --webhook-secret={{ include "opt-operator.fullname" . }}-webhooks
- --webhook-configuration={{ include "opt-operator.fullname" . }}
{{- end }}
{{- end }}
{{- end }}
