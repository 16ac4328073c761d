{{/* What every pod of the chart has. */}}
{{- define "hydracore.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
fsGroupChangePolicy: OnRootMismatch
seccompProfile:
  type: RuntimeDefault
{{- end }}

{{- define "hydracore.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: ["ALL"]
{{- end }}

{{- define "hydracore.container" -}}
image: {{ include "hydracore.image" . | quote }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  {{- include "hydracore.containerSecurity" . | nindent 2 }}
{{- end }}

{{- define "hydracore.pullSecrets" -}}
{{- with .Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "hydracore.databaseEnv" -}}
- name: HYDRACORE_DATABASE_URL
  valueFrom:
    secretKeyRef:
      name: {{ .Values.database.existingSecret | quote }}
      key: {{ .Values.database.urlKey | quote }}
{{- end }}

{{/* Environment, mounts and volumes that operator and API share. */}}
{{- define "hydracore.serviceEnv" -}}
{{ include "hydracore.databaseEnv" . }}
- name: HYDRACORE_CONTROL_PLANE_KEY_FILE
  value: /etc/hydracore/keys/control-plane-key.pem
- name: HYDRACORE_TRUSTED_BUNDLE_KEYS_FILE
  value: /etc/hydracore/keys/trusted-bundle-keys.json
{{- end }}

{{/* The key pair of the bucket; takes root and the name of the Secret. */}}
{{- define "hydracore.artifactsEnv" -}}
{{- if .root.Values.artifacts.s3.url }}
- name: HYDRACORE_ARTIFACTS_S3_ACCESS_KEY_ID
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .root.Values.artifacts.s3.accessKeyIdKey | quote }}
- name: HYDRACORE_ARTIFACTS_S3_SECRET_ACCESS_KEY
  valueFrom:
    secretKeyRef:
      name: {{ .secret | quote }}
      key: {{ .root.Values.artifacts.s3.secretAccessKeyKey | quote }}
{{- end }}
{{- end }}

{{/* Takes root, and whether the service writes into the folder of the store. */}}
{{- define "hydracore.serviceMounts" -}}
- name: tmp
  mountPath: /tmp
- name: keys
  mountPath: /etc/hydracore/keys
  readOnly: true
{{- if .root.Values.artifacts.existingClaim }}
- name: artifacts
  mountPath: /var/lib/hydracore/artifacts
  {{- if not .writes }}
  readOnly: true
  {{- end }}
{{- end }}
{{- end }}

{{/* Takes root and the files of the keys' Secret that the service may see. */}}
{{- define "hydracore.serviceVolumes" -}}
- name: tmp
  emptyDir: {}
- name: keys
  secret:
    secretName: {{ .root.Values.keys.existingSecret | quote }}
    defaultMode: 0440
    items:
      {{- range .keys }}
      - key: {{ . }}
        path: {{ . }}
      {{- end }}
{{- with .root.Values.artifacts.existingClaim }}
- name: artifacts
  persistentVolumeClaim:
    claimName: {{ . | quote }}
{{- end }}
{{- end }}

{{/* Where the pods of a service go; takes root, component and the service's values. */}}
{{- define "hydracore.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "hydracore.selector" . | nindent 8 }}
{{- with .values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
