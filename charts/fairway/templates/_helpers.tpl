{{/* Labels of every object. */}}
{{- define "fairway.labels" -}}
app.kubernetes.io/name: fairway
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/part-of: fairway
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{/* What selects the pods of a role: (list . "gate"). It never changes, because selectors cannot. */}}
{{- define "fairway.selector" -}}
app.kubernetes.io/name: fairway
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{/* The image of a role: (list . "gate"). */}}
{{- define "fairway.image" -}}
{{- $root := index . 0 }}{{ $image := index $root.Values.image (index . 1) -}}
{{- $name := printf "%s/%s" $root.Values.image.registry $image.repository -}}
{{- if $image.digest }}{{ $name }}@{{ $image.digest }}{{ else }}{{ $name }}:{{ $image.tag | default $root.Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What the Go runtime is told of a limit of memory: a share of it, in percent. */}}
{{- define "fairway.gomemlimit" -}}
{{- $mi := trimSuffix "Mi" .memory | trimSuffix "Gi" | int64 -}}
{{- if hasSuffix "Gi" .memory }}{{ $mi = mul $mi 1024 }}{{ end -}}
{{ div (mul $mi .percent) 100 }}MiB
{{- end }}

{{/* The security of every pod: what the restricted Pod Security Standard asks for, and more. */}}
{{- define "fairway.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end }}
{{- define "fairway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end }}

{{/* A file that the repository keeps once, in the namespace of this release. */}}
{{- define "fairway.file" -}}
{{- $root := index . 0 -}}
{{ $root.Files.Get (index . 1) | replace "fairway-system" $root.Release.Namespace | trim }}
{{- end }}

{{/* The user name of a role: (list . "prover"). */}}
{{- define "fairway.user" -}}
system:serviceaccount:{{ (index . 0).Release.Namespace }}:fairway-{{ index . 1 }}
{{- end }}

{{/* Name of the Secret with the serving certificate. */}}
{{- define "fairway.tlsSecret" -}}
{{- if eq .Values.tls.mode "existingSecret" }}{{ required "tls.existingSecret.name is needed where tls.mode is existingSecret" .Values.tls.existingSecret.name }}{{ else }}fairway-tls{{ end }}
{{- end }}

{{/* Name under which the API server calls the gates. */}}
{{- define "fairway.host" -}}
{{- if .Values.webhook.url }}{{ (urlParse .Values.webhook.url).hostname }}{{ else }}fairway.{{ .Release.Namespace }}.svc{{ end }}
{{- end }}

{{/* The arguments of tracing. */}}
{{- define "fairway.traceArgs" -}}
{{- if .Values.tracing.endpoint }}
- --trace-endpoint={{ .Values.tracing.endpoint }}
- --trace-ratio={{ .Values.tracing.ratio }}
{{- end }}
{{- end }}

{{/* Where and how a role's pods run: (list . "gate"). */}}
{{- define "fairway.placement" -}}
{{- $role := index (index . 0).Values (index . 1) -}}
{{- with $role.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with $role.nodeSelector }}
nodeSelector: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $role.tolerations }}
tolerations: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with $role.affinity }}
affinity: {{ toYaml . | nindent 2 }}
{{- end }}
{{- with (index . 0).Values.image.pullSecrets }}
imagePullSecrets:
{{- range . }}
  - name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{/* The probes of every pod. */}}
{{- define "fairway.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: probes}
  periodSeconds: 10
readinessProbe:
  httpGet: {path: /readyz, port: probes}
  periodSeconds: 2
  failureThreshold: 2
{{- end }}
