{{/* Where an URL leads, as JSON: host, port, and kind: pods, address, inside, cloud or name.
A NetworkPolicy holds numbers and labels, no names, and a chart that is rendered cannot look names up. */}}
{{- define "atelier.place" -}}
{{- $parts := urlParse .url -}}
{{- $host := lower $parts.hostname -}}
{{- $port := regexFind ":[0-9]+$" $parts.host | trimPrefix ":" | default (ternary "443" "80" (hasPrefix "https" $parts.scheme)) -}}
{{- $kind := "name" -}}
{{- if regexMatch "^[0-9.]+$|:" $host -}}
{{- $kind = "address" -}}
{{- else if or (not (contains "." $host)) (regexMatch "^[^.]+\\.[^.]+\\.svc(\\.|$)" $host) -}}
{{- $kind = "pods" -}}
{{- else if regexMatch "\\.(internal|local|lan|corp|intranet|private|home\\.arpa)$|\\.vpce\\.amazonaws\\.com$" $host -}}
{{- $kind = "inside" -}}
{{- else if regexMatch "(^|\\.)(amazonaws\\.com(\\.cn)?|r2\\.cloudflarestorage\\.com|googleapis\\.com|backblazeb2\\.com|wasabisys\\.com|digitaloceanspaces\\.com|huggingface\\.co|hf\\.co)$" $host -}}
{{- $kind = "cloud" -}}
{{- end -}}
{{- dict "host" $host "port" (int $port) "kind" $kind "namespace" (index (splitList "." (printf "%s.%s" $host .namespace)) 1) | toJson -}}
{{- end }}

{{/* Every address of the world but those of your network, of the node and of the pod itself. */}}
{{- define "atelier.public" -}}
{{- $closed := dict "v4" (list "169.254.0.0/16" "127.0.0.0/8") "v6" (list "fe80::/10" "::1/128") }}
{{- range .Values.networkPolicy.privateRanges }}
{{- $version := ternary "v6" "v4" (contains ":" .) }}
{{- $_ := set $closed $version (append (get $closed $version) .) }}
{{- end -}}
- ipBlock: {cidr: 0.0.0.0/0, except: {{ toJson $closed.v4 }}}
- ipBlock: {cidr: "::/0", except: {{ toJson $closed.v6 }}}
{{- end }}

{{- define "atelier.private" -}}
{{- range .Values.networkPolicy.privateRanges }}
- ipBlock: {cidr: {{ . | quote }}}
{{- end }}
{{- end }}

{{/* A rule of egress to what an URL names: root, url; port and to, where the operator said them. */}}
{{- define "atelier.egress" -}}
{{- $place := include "atelier.place" (dict "url" .url "namespace" .root.Release.Namespace) | fromJson -}}
- ports: [{port: {{ .port | default $place.port }}, protocol: TCP}]
  to:
    {{- if .to }}
    {{- toYaml .to | nindent 4 }}
    {{- else if eq $place.kind "address" }}
    - ipBlock: {cidr: "{{ $place.host }}/{{ ternary "128" "32" (contains ":" $place.host) }}"}
    {{- else if eq $place.kind "pods" }}
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ $place.namespace }}}}
    {{- else }}
    {{- if regexMatch "^[^.]+\\.[^.]+$" $place.host }}
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: {{ $place.namespace }}}}
    {{- end }}
    {{- if ne $place.kind "inside" }}
    {{- include "atelier.public" .root | nindent 4 }}
    {{- end }}
    {{- if ne $place.kind "cloud" }}
    {{- include "atelier.private" .root | trim | nindent 4 }}
    {{- end }}
    {{- end }}
{{- end }}

{{/* The same in words, for the notes. */}}
{{- define "atelier.opened" -}}
{{- $place := include "atelier.place" (dict "url" .url "namespace" .root.Release.Namespace) | fromJson -}}
{{- $what := dict "address" "that address" "pods" (printf "pods of the namespace %s" $place.namespace) "inside" "private addresses" -}}
{{- $what = merge $what (dict "cloud" "public addresses" "name" "public and private addresses, since a policy holds no names") -}}
{{ $place.host }}, port {{ .port | default $place.port }}: {{ ternary "what networkPolicy says" (get $what $place.kind) (not (empty .to)) }}
{{- end }}

{{/* The URL of the store's endpoint: what `core/storage/s3.py` connects to. */}}
{{- define "atelier.endpoint" -}}
{{- $said := regexFind "[?&]endpoint=[^&#]+" .Values.storage.url | trimPrefix "?" | trimPrefix "&" | trimPrefix "endpoint=" -}}
{{- $said | replace "%3A" ":" | replace "%3a" ":" | replace "%2F" "/" | replace "%2f" "/" | default "https://s3.amazonaws.com" -}}
{{- end }}

{{/* Where weights come from, as a list in JSON: a proxy that `weights.env` says, else its mirror of the hub, else the hub. */}}
{{- define "atelier.hubs" -}}
{{- $env := dict -}}
{{- range .Values.weights.env }}{{ $_ := set $env .name (.value | default "") }}{{ end -}}
{{- list (coalesce (get $env "HTTPS_PROXY") (get $env "https_proxy") (get $env "HF_ENDPOINT") "https://huggingface.co") | toJson -}}
{{- end }}
