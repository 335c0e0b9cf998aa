{{- define "opt-operator.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* At most 50 characters, so that every suffix below still fits into 63. */}}
{{- define "opt-operator.fullname" -}}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (include "opt-operator.name" .) .Release.Name }}
{{- .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name (include "opt-operator.name" .) | trunc 50 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{- define "opt-operator.selectorLabels" -}}
app.kubernetes.io/name: {{ include "opt-operator.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: operator
{{- end }}

{{- define "opt-operator.labels" -}}
{{ include "opt-operator.selectorLabels" . }}
app.kubernetes.io/part-of: opt-operator
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name (.Chart.Version | replace "+" "_") }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* Without chart and app version: a new chart alone restarts nothing. The user's labels cannot break the selector. */}}
{{- define "opt-operator.podLabels" -}}
{{- $own := include "opt-operator.selectorLabels" . | fromYaml }}
{{- mergeOverwrite (deepCopy .Values.commonLabels) .Values.podLabels (dict "app.kubernetes.io/part-of" "opt-operator") $own | toYaml }}
{{- end }}

{{- define "opt-operator.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "opt-operator.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- default "default" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "opt-operator.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) }}
{{- end }}
{{- end }}

{{/* "Cluster" or "", as the prefix of Role and RoleBinding kinds. */}}
{{- define "opt-operator.roleScope" -}}
{{- if eq .Values.scope "cluster" }}Cluster{{ end }}
{{- end }}

{{/* Labels by which the operator's trainer pods are recognised, whatever their job. */}}
{{- define "opt-operator.trainerLabels" -}}
app.kubernetes.io/name: opt-trainer
app.kubernetes.io/managed-by: opt-operator
{{- end }}

{{/* "true" when the webhooks are served: their configurations are the cluster's, out of reach of one namespace. */}}
{{- define "opt-operator.webhooks" -}}
{{- and .Values.webhooks.enabled (eq .Values.scope "cluster") }}
{{- end }}
