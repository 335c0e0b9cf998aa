{{/* What the operator does to objects in the namespaces of jobs. Secrets are read one by one by name and never listed. */}}
{{- define "opt-operator.jobRules" -}}
- apiGroups: [training.opt-operator.io]
  resources: [opttrainingjobs]
  verbs: [list, watch]
- apiGroups: [training.opt-operator.io]
  resources: [opttrainingjobs/status]
  verbs: [patch]
# Owner references with blockOwnerDeletion need this where OwnerReferencesPermissionEnforcement is on.
- apiGroups: [training.opt-operator.io]
  resources: [opttrainingjobs/finalizers]
  verbs: [update]
- apiGroups: [apps]
  resources: [statefulsets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [policy]
  resources: [poddisruptionbudgets]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [pods]
  verbs: [list, watch, delete]
- apiGroups: [""]
  resources: [services]
  verbs: [get, list, watch, create, patch]
- apiGroups: [""]
  resources: [configmaps]
  verbs: [list, watch, create, delete]
- apiGroups: [""]
  resources: [secrets]
  verbs: [get, create]
- apiGroups: [events.k8s.io]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Node health, and quarantine by label and cordon. */}}
{{- define "opt-operator.nodeRules" -}}
- apiGroups: [""]
  resources: [nodes]
  verbs: [list, watch, patch]
{{- end }}
