{{/* The gateway's configuration: one document, split into what may be read by everyone and what may not. */}}

{{/* Seconds as hours:minutes:seconds. */}}
{{- define "gateway.timeSpan" -}}
{{- $seconds := int . -}}
{{- printf "%02d:%02d:%02d" (div $seconds 3600) (mod (div $seconds 60) 60) (mod $seconds 60) -}}
{{- end -}}

{{/* The whole document as JSON: values.config with what the chart knows. */}}
{{- define "gateway.document" -}}
{{- $document := deepCopy (.Values.config | default dict) -}}
{{- $gateway := $document.Gateway | default dict -}}
{{- $own := dict
  "Hosting" (dict "DrainTimeout" (include "gateway.timeSpan" .Values.shutdown.drainSeconds))
  "Store" (dict) -}}
{{- if include "gateway.usesRedis" . -}}
{{- if .Values.redis.trial.enabled -}}
{{- $_ := set $own.Store "Redis" (printf "%s-redis:6379" (include "gateway.fullname" .)) -}}
{{- end -}}
{{- if include "gateway.redisPassword" . -}}
{{- $_ := set $own.Store "RedisPasswordFile" "/etc/gateway/redis/password" -}}
{{- end -}}
{{- else -}}
{{- $_ := set $own.Store "Path" "/data" -}}
{{- end -}}
{{- if .Values.pythonTool.enabled -}}
{{- $server := dict
  "Url" (printf "http://%s-python-tool:8765/mcp" (include "gateway.fullname" .))
  "ApiKeyFile" "/etc/gateway/python-tool/key"
  "Requests" false -}}
{{- $binding := dict "Server" "python-tool" "Tool" "python" -}}
{{- $_ := set $own "Tools" (dict
  "Servers" (dict "python-tool" $server)
  "Bindings" (dict "code_interpreter" $binding "python" (deepCopy $binding))) -}}
{{- end -}}
{{- $_ := set $document "Gateway" (merge $gateway $own) -}}
{{- toJson $document -}}
{{- end -}}

{{/*
Splits the document: (dict "document" … "secret" …) as JSON. A member that can hold a secret goes into the second, wherever it stands; the
gateway reads both files, the second over the first. Kestrel's section goes there as a whole when it has the password of a certificate.
*/}}
{{- define "gateway.split" -}}
{{- $document := include "gateway.document" . | fromJson -}}
{{- $gateway := $document.Gateway -}}
{{- $secret := dict -}}
{{- range $section, $members := dict "Upstreams" (list "ApiKey" "Headers" "Address" "Addresses") "Tenants" (list "Keys") -}}
{{- $found := include "gateway.takeSecrets" (list (get $gateway $section | default dict) $members) | fromJson -}}
{{- $_ := set $gateway $section $found.rest -}}
{{- if $found.secret -}}{{- $_ := set $secret $section $found.secret -}}{{- end -}}
{{- end -}}
{{- $tools := $gateway.Tools | default dict -}}
{{- $found := include "gateway.takeSecrets" (list ($tools.Servers | default dict) (list "ApiKey" "Headers" "Url")) | fromJson -}}
{{- if $tools.Servers -}}{{- $_ := set $tools "Servers" $found.rest -}}{{- end -}}
{{- if $found.secret -}}{{- $_ := set $secret "Tools" (dict "Servers" $found.secret) -}}{{- end -}}
{{- range $section := list "Admin" "Secrets" -}}
{{- $from := get $gateway $section | default dict -}}
{{- if $from.Keys -}}
{{- $_ := set $secret $section (pick $from "Keys") -}}
{{- $_ := set $gateway $section (omit $from "Keys") -}}
{{- end -}}
{{- end -}}
{{- $store := $gateway.Store | default dict -}}
{{- if and $store.Redis (regexMatch "(?i)password\\s*=|@" $store.Redis) -}}
{{- $_ := set $secret "Store" (pick $store "Redis") -}}
{{- $_ := set $gateway "Store" (omit $store "Redis") -}}
{{- end -}}
{{- range $section, $value := $gateway -}}
{{- if and (kindIs "map" $value) (not $value) -}}{{- $_ := unset $gateway $section -}}{{- end -}}
{{- end -}}
{{- $file := dict -}}
{{- if $secret -}}{{- $_ := set $file "Gateway" $secret -}}{{- end -}}
{{- if regexMatch "(?i)\"password\":" (toJson $document.Kestrel) -}}
{{- $_ := set $file "Kestrel" $document.Kestrel -}}
{{- $_ := unset $document "Kestrel" -}}
{{- end -}}
{{- dict "document" $document "secret" $file | toJson -}}
{{- end -}}

{{/*
Takes members out of each entry of a map: (list map members) gives (dict "rest" … "secret" …) as JSON. Addresses are taken when they have a user
or a query; the Url of a tool server also when its path is more than /mcp or /sse, since hosted servers have their key there. A slash behind them is no more.
*/}}
{{- define "gateway.takeSecrets" -}}
{{- $members := index . 1 -}}
{{- $rest := dict -}}
{{- $secret := dict -}}
{{- range $name, $entry := index . 0 -}}
{{- $keep := dict -}}
{{- $hide := dict -}}
{{- range $member, $value := $entry -}}
{{- $secretive := has $member $members -}}
{{- if has $member (list "Address" "Addresses") -}}
{{- $secretive = and $secretive (regexMatch "[@?#]" (toString $value)) -}}
{{- else if eq $member "Url" -}}
{{- $secretive = and $secretive (regexMatch "[@?#]|://[^/]*/.*[^/]" (toString $value | trimSuffix "/" | trimSuffix "/mcp" | trimSuffix "/sse")) -}}
{{- end -}}
{{- if $secretive -}}
{{- if $value -}}{{- $_ := set $hide $member $value -}}{{- end -}}
{{- else -}}
{{- $_ := set $keep $member $value -}}
{{- end -}}
{{- end -}}
{{- $_ := set $rest $name $keep -}}
{{- if $hide -}}{{- $_ := set $secret $name $hide -}}{{- end -}}
{{- end -}}
{{- dict "rest" $rest "secret" $secret | toJson -}}
{{- end -}}

{{/* The ConfigMap's file. */}}
{{- define "gateway.settingsFile" -}}
{{- (include "gateway.split" . | fromJson).document | toPrettyJson -}}
{{- end -}}

{{/* The Secret's file; nothing when the configuration holds no secret. */}}
{{- define "gateway.secretFile" -}}
{{- with (include "gateway.split" . | fromJson).secret -}}{{- toPrettyJson . -}}{{- end -}}
{{- end -}}

{{/* Name and key of the Secret with the second file, as JSON; nothing without one. */}}
{{- define "gateway.secretRef" -}}
{{- if .Values.existingSecret.name -}}
{{ toJson .Values.existingSecret }}
{{- else if include "gateway.secretFile" . -}}
{{ dict "name" (include "gateway.fullname" .) "key" "gateway.json" | toJson }}
{{- end -}}
{{- end -}}
