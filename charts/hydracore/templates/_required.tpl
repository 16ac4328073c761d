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
{{- $artifacts := .Values.artifacts }}
{{- if not (or $artifacts.existingClaim $artifacts.s3.url) }}
{{- $missing = append $missing "artifacts.existingClaim: a PersistentVolumeClaim for the store of bundles; or artifacts.s3.url: a bucket" }}
{{- end }}
{{- if and $artifacts.s3.url (not $artifacts.s3.existingSecret) }}
{{- $missing = append $missing "artifacts.s3.existingSecret: a Secret with the key pair of the bucket" }}
{{- end }}
{{- if and $artifacts.existingClaim $artifacts.s3.url }}
{{- fail "artifacts.existingClaim and artifacts.s3.url are both given: the store is one of them" }}
{{- end }}
{{- if and $artifacts.s3.signedUrls (or (not $artifacts.s3.url) (hasPrefix "http://" $artifacts.s3.endpoint)) }}
{{- fail "artifacts.s3.signedUrls needs artifacts.s3.url, and an endpoint with https: agents follow no other" }}
{{- end }}
{{- if $missing }}
{{- fail (printf "these values are required (docs/install.md says how to make what they name):\n  %s" (join "\n  " $missing)) }}
{{- end }}
{{- end }}
