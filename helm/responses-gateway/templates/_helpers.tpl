{{/* Names, labels and images. */}}

{{- define "gateway.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select a component's pods: (list $ "gateway"). They can not be changed by an upgrade. */}}
{{- define "gateway.selectorLabels" -}}
{{- $root := index . 0 -}}
app.kubernetes.io/name: {{ default $root.Chart.Name $root.Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ $root.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{/* All labels of an object of a component: (list $ "gateway"). */}}
{{- define "gateway.labels" -}}
{{- $root := index . 0 -}}
{{ include "gateway.selectorLabels" . }}
app.kubernetes.io/version: {{ $root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $root.Chart.Name $root.Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{- with $root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* An image by digest or tag: (list $ .Values.image). */}}
{{- define "gateway.image" -}}
{{- $root := index . 0 -}}
{{- $image := index . 1 -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ default $root.Chart.AppVersion $image.tag }}
{{- end -}}
{{- end -}}

{{- define "gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{ default (include "gateway.fullname" .) .Values.serviceAccount.name }}
{{- else -}}
{{ default "default" .Values.serviceAccount.name }}
{{- end -}}
{{- end -}}

{{/* "true" or nothing: whether Redis is the store. */}}
{{- define "gateway.usesRedis" -}}
{{- $store := dig "Gateway" "Store" dict (.Values.config | default dict) | default dict -}}
{{- if or .Values.redis.trial.enabled .Values.redis.inExistingSecret $store.Redis -}}true{{- end -}}
{{- end -}}

{{/* "true" or nothing: whether there may be more than one replica. */}}
{{- define "gateway.scales" -}}
{{- if or .Values.autoscaling.enabled (gt (int .Values.replicas) 1) -}}true{{- end -}}
{{- end -}}

{{/* Name and key of the Secret with the password of Redis, as JSON; nothing without one. */}}
{{- define "gateway.redisPassword" -}}
{{- if .Values.redis.passwordSecret.name -}}
{{ dict "name" .Values.redis.passwordSecret.name "key" .Values.redis.passwordSecret.key | toJson }}
{{- else if .Values.redis.trial.enabled -}}
{{ dict "name" (printf "%s-redis" (include "gateway.fullname" .)) "key" "password" | toJson }}
{{- end -}}
{{- end -}}

{{/* Name and key of the Secret with the Python tool's key, as JSON. */}}
{{- define "gateway.pythonToolKey" -}}
{{- if .Values.pythonTool.existingSecret.name -}}
{{ toJson .Values.pythonTool.existingSecret }}
{{- else -}}
{{ dict "name" (printf "%s-python-tool" (include "gateway.fullname" .)) "key" "key" | toJson }}
{{- end -}}
{{- end -}}
