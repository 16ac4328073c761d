{{/* Fails with one message that names everything that is missing, and what it is. */}}
{{- define "hydracore.checkRequired" -}}
{{- $missing := list }}
{{- if not .Values.agentApiUrl }}
{{- $missing = append $missing "agentApiUrl: where agents on servers reach the API, such as https://hydracore.example.org" }}
{{- end }}
{{- if not .Values.database.existingSecret }}
{{- $missing = append $missing "database.existingSecret: a Secret with the URL of a PostgreSQL database in the key `url`" }}
{{- end }}
{{- if not .Values.keys.existingSecret }}
{{- $missing = append $missing "keys.existingSecret: a Secret with control-plane-key.pem, trusted-bundle-keys.json, server-secret and ops-token" }}
{{- end }}
{{- if not .Values.artifacts.existingClaim }}
{{- $missing = append $missing "artifacts.existingClaim: a PersistentVolumeClaim for the store of bundles" }}
{{- end }}
{{- if $missing }}
{{- fail (printf "these values are required (docs/install.md says how to make what they name):\n  %s" (join "\n  " $missing)) }}
{{- end }}
{{- end }}
