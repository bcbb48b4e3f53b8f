{{/* Names. A StatefulSet is called NAME-gpu-POOL; with more than 52 letters Kubernetes could not label its pods. */}}
{{- define "atelier.name" -}}
{{- $name := ternary .Release.Name (printf "%s-atelier" .Release.Name) (contains "atelier" .Release.Name) -}}
{{- .Values.fullnameOverride | default $name | trunc 36 | trimSuffix "-" -}}
{{- end }}

{{- define "atelier.selector" -}}
app.kubernetes.io/name: atelier
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "atelier.labels" -}}
{{ include "atelier.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- end }}

{{/* `name` and `labels` of an object: root, component, and what follows the release's name. */}}
{{- define "atelier.meta" -}}
name: {{ include "atelier.name" .root }}{{ with .suffix }}-{{ . }}{{ end }}
labels:
  {{- include "atelier.labels" . | nindent 2 }}
{{- end }}

{{- define "atelier.image" -}}
{{- $image := index .root.Values.image .image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .root.Chart.AppVersion }}
{{- end -}}
{{- end }}

{{/* The service account of api, cpuWorker, gpuWorker or weights. */}}
{{- define "atelier.account" -}}
{{- $account := index .root.Values.serviceAccounts .account -}}
{{- $made := printf "%s-%s" (include "atelier.name" .root) (kebabcase .account) -}}
{{- $account.name | default (ternary $made "default" .root.Values.serviceAccounts.create) -}}
{{- end }}

{{/* Puts the values of `over` into `base`, which is changed; falsy ones too, which `mergeOverwrite` passes by. */}}
{{- define "atelier.overlay" -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $.base $key)) -}}
{{- include "atelier.overlay" (dict "base" (get $.base $key) "over" $value) -}}
{{- else -}}
{{- $_ := set $.base $key $value -}}
{{- end -}}
{{- end -}}
{{- end }}

{{/* A pool with what it does not say, as JSON: root, pool (its name). */}}
{{- define "atelier.pool" -}}
{{- $pool := deepCopy .root.Values.gpu.defaults -}}
{{- include "atelier.overlay" (dict "base" $pool "over" (index .root.Values.gpu.pools .pool | default dict)) -}}
{{- toJson $pool -}}
{{- end }}

{{/* Of the weights: the shared claim; what of the chart fills the volume (nothing, a pod for itself, a Job for all);
and the digest of what it brings. */}}
{{- define "atelier.weights.claim" -}}
{{- .Values.weights.existingClaim | default (printf "%s-weights" (include "atelier.name" .)) -}}
{{- end }}

{{/* What the volume is: one claim for each worker, one that all share, or a folder of each node. */}}
{{- define "atelier.weights.kind" -}}
{{- if .Values.weights.existingClaim -}}
shared
{{- else if .Values.weights.hostPath -}}
node
{{- else -}}
{{ .Values.weights.volume }}
{{- end -}}
{{- end }}

{{- define "atelier.weights.filled" -}}
{{- $kind := include "atelier.weights.kind" . -}}
{{- if and .Values.weights.models (ne $kind "node") }}{{ $kind }}{{ end -}}
{{- end }}

{{- define "atelier.weights.mark" -}}
/weights/.complete-{{ include "atelier.weights.digest" . }}
{{- end }}

{{/* The command line that fills a volume and marks it as full. */}}
{{- define "atelier.weights.fill" -}}
{{- $bring := ternary "import /carried" "fetch" (not (empty .Values.weights.importClaim)) -}}
atelier weights {{ $bring }} "$@"; touch {{ include "atelier.weights.mark" . }}
{{- end }}

{{- define "atelier.weights.env" -}}
- {name: ATELIER_WEIGHTS_DIR, value: /weights}
- {name: NVIDIA_VISIBLE_DEVICES, value: void}
{{- with .Values.weights.env }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- define "atelier.weights.digest" -}}
{{- $image := include "atelier.image" (dict "root" $ "image" "gpu") -}}
{{- list $image .Values.weights.models .Values.weights.importClaim .Values.catalogue | toJson | sha256sum | trunc 10 -}}
{{- end }}

{{/* What every pod has: root, account, and of: nodeSelector, tolerations, priorityClassName. */}}
{{- define "atelier.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .account }}
serviceAccountName: {{ include "atelier.account" $ }}
{{- end }}
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .of }}
{{- with .priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- end }}

{{/* What every container has: root, image. */}}
{{- define "atelier.container" -}}
image: {{ include "atelier.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
  capabilities: {drop: [ALL]}
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Settings: root, secrets (those of .Values.secrets), store (whether it uses the bucket), settings (its own), url (the API's, where
it is not the public one), and early:
whether a pod starts without its Secrets and before the chart's objects. */}}
{{- define "atelier.env" -}}
{{- $values := .root.Values -}}
- {name: HOME, value: /tmp}
- {name: ATELIER_SCRATCH_DIR, value: /scratch}
- {name: ATELIER_PUBLIC_URL, value: {{ .url | default $values.publicUrl | quote }}}
{{- range .secrets }}
- {name: ATELIER_{{ snakecase . | upper }}_FILE, value: /run/secrets/atelier/{{ kebabcase . }}}
{{- end }}
{{- if .store }}
- {name: ATELIER_STORAGE_URL, value: {{ $values.storage.url | quote }}}
{{- with $values.storage.credentials }}
{{- if .secret }}
- name: AWS_ACCESS_KEY_ID
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .accessKey }}{{ if $.early }}, optional: true{{ end }}}}
- name: AWS_SECRET_ACCESS_KEY
  valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .secretKey }}{{ if $.early }}, optional: true{{ end }}}}
{{- end }}
{{- end }}
{{- end }}
{{- if and $values.catalogue.models (not .early) }}
- {name: ATELIER_CATALOG, value: /etc/atelier/catalogue/models.toml}
{{- end }}
{{- if and $values.catalogue.lock (not .early) }}
- {name: ATELIER_WEIGHTS_LOCK, value: /etc/atelier/catalogue/weights.lock}
{{- end }}
{{- if $values.caBundle.configMap }}
- {name: ATELIER_CA_BUNDLE, value: /etc/atelier/ca/{{ $values.caBundle.key }}}
{{- end }}
{{- $settings := deepCopy $values.settings }}
{{- include "atelier.overlay" (dict "base" $settings "over" (.settings | default dict)) }}
{{- range $name, $value := $settings }}
- {name: ATELIER_{{ upper $name }}, value: {{ include "atelier.text" $value | quote }}}
{{- end }}
{{- end }}

{{/* The most bytes of a request: a file of the media library, in a form (`ENVELOPE` of api/http/received_file.py) or alone,
or JSON with media. Without a setting each is the service's own. */}}
{{- define "atelier.largestBody" -}}
{{- $settings := deepCopy .Values.settings -}}
{{- include "atelier.overlay" (dict "base" $settings "over" .Values.api.settings) -}}
{{- $file := int64 ($settings.library_file_bytes | default 100000000) -}}
{{- $media := int64 ($settings.media_body_limit | default 28000000) -}}
{{- add (max $file $media) 16384 -}}
{{- end }}

{{/* A number as a person writes it: YAML's are floats here, and 2147483648 would become 2.147483648e+09. */}}
{{- define "atelier.text" -}}
{{- if and (kindIs "float64" .) (eq . (floor .)) -}}
{{- int64 . -}}
{{- else -}}
{{- . -}}
{{- end -}}
{{- end }}

{{- define "atelier.mounts" -}}
- {name: tmp, mountPath: /tmp}
- {name: scratch, mountPath: /scratch}
{{- if .secrets }}
- {name: secrets, mountPath: /run/secrets/atelier, readOnly: true}
{{- end }}
{{- if and (not .early) (or .root.Values.catalogue.models .root.Values.catalogue.lock) }}
- {name: catalogue, mountPath: /etc/atelier/catalogue, readOnly: true}
{{- end }}
{{- if .root.Values.caBundle.configMap }}
- {name: ca, mountPath: /etc/atelier/ca, readOnly: true}
{{- end }}
{{- end }}

{{/* The volumes of those: besides, scratchSize and inMemory. */}}
{{- define "atelier.volumes" -}}
- name: tmp
  emptyDir: {sizeLimit: 2Gi}
- name: scratch
  emptyDir: { {{- if .inMemory }}medium: Memory, {{ end }}sizeLimit: {{ .scratchSize | default "1Gi" }}}
{{- with .secrets }}
- name: secrets
  projected:
    defaultMode: 0440
    sources:
      {{- range . }}
      {{- $secret := index $.root.Values.secrets . }}
      - secret: {name: {{ $secret.name }}, items: [{key: {{ $secret.key }}, path: {{ kebabcase . }}}]{{ if $.early }}, optional: true{{ end }}}
      {{- end }}
{{- end }}
{{- if and (not .early) (or .root.Values.catalogue.models .root.Values.catalogue.lock) }}
- name: catalogue
  configMap: {name: {{ include "atelier.name" .root }}-catalogue}
{{- end }}
{{- with .root.Values.caBundle.configMap }}
- name: ca
  configMap: {name: {{ . }}}
{{- end }}
{{- end }}

{{/* Whether a worker's file is younger than so many seconds: root file seconds. `find` starts in a millisecond. */}}
{{- define "atelier.fresh" -}}
exec:
  command: [sh, -c, 'test -n "$(find /scratch/{{ .file }} -newermt "-{{ .seconds }} seconds")"']
{{- end }}

{{/* Pods start anew when what they read at the start has changed. */}}
{{- define "atelier.annotations" -}}
checksum/catalogue: {{ toJson .root.Values.catalogue | sha256sum }}
{{- with .more }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{/* A HorizontalPodAutoscaler on the processor: root, component, suffix, kind, of (autoscaling). */}}
{{- define "atelier.hpa" -}}
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  {{- include "atelier.meta" . | nindent 2 }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ include "atelier.name" .root }}-{{ .suffix }}}
  minReplicas: {{ .of.min }}
  maxReplicas: {{ .of.max }}
  metrics:
    - type: Resource
      resource: {name: cpu, target: {type: Utilization, averageUtilization: {{ .of.cpuPercent }}}}
{{- end }}

{{/* A PodDisruptionBudget: root, component, suffix, of (disruptionBudget), and pool for one pool's. */}}
{{- define "atelier.pdb" -}}
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  {{- include "atelier.meta" . | nindent 2 }}
spec:
  maxUnavailable: {{ .of.maxUnavailable }}
  selector:
    matchLabels:
      {{- include "atelier.selector" . | nindent 6 }}
      {{- with .pool }}
      atelier/pool: {{ . }}
      {{- end }}
{{- end }}
