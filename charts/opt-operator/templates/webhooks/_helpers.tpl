{{/* The certificate that cert-manager renews, where it does. */}}
{{- define "opt-operator.webhookMounts" -}}
{{- if and (eq (include "opt-operator.webhooks" .) "true") .Values.webhooks.certManager.enabled -}}
- {name: webhooks, mountPath: /etc/opt-operator/webhooks, readOnly: true}
{{- else -}}
[]
{{- end }}
{{- end }}

{{- define "opt-operator.webhookVolumes" -}}
{{- if and (eq (include "opt-operator.webhooks" .) "true") .Values.webhooks.certManager.enabled -}}
- {name: webhooks, secret: {secretName: {{ include "opt-operator.fullname" . }}-webhooks}}
{{- else -}}
[]
{{- end }}
{{- end }}

{{/* What the mutating and the validating webhook have in common. Call with (dict "root" $ "path" PATH). */}}
{{- define "opt-operator.webhook" -}}
admissionReviewVersions: [v1]
# A dry run has no effect outside the object.
sideEffects: None
failurePolicy: {{ .root.Values.webhooks.failurePolicy }}
timeoutSeconds: {{ .root.Values.webhooks.timeoutSeconds }}
matchPolicy: Equivalent
clientConfig:
  # The operator (or cert-manager) fills in caBundle.
  service:
    name: {{ include "opt-operator.fullname" .root }}-webhooks
    namespace: {{ .root.Release.Namespace }}
    path: {{ .path }}
    port: 443
rules:
  # Never the status, which is the operator's own.
  - apiGroups: [training.opt-operator.io]
    apiVersions: [v1alpha1]
    operations: [CREATE, UPDATE]
    resources: [opttrainingjobs]
    scope: Namespaced
matchConditions:
  # Finalizers of an object that goes away must come off whatever its spec holds.
  - name: not-being-deleted
    expression: "!has(object.metadata.deletionTimestamp)"
{{- end }}
