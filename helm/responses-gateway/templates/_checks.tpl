{{/* What the schema can not see: values that do not go together. All problems are told at once. */}}
{{- define "gateway.check" -}}
{{- $problems := list -}}
{{- $gateway := dig "Gateway" dict (.Values.config | default dict) | default dict -}}
{{- $store := $gateway.Store | default dict -}}

{{- if dig "Hosting" "DrainTimeout" "" $gateway -}}
{{- $problems = append $problems "config.Gateway.Hosting.DrainTimeout is set: set shutdown.drainSeconds instead, which the pod's grace period follows." -}}
{{- end -}}
{{- if $store.Path -}}
{{- $problems = append $problems "config.Gateway.Store.Path is set: the chart puts the embedded store on the volume of persistence." -}}
{{- end -}}
{{- if $store.RedisPasswordFile -}}
{{- $problems = append $problems "config.Gateway.Store.RedisPasswordFile is set: name the Secret in redis.passwordSecret instead." -}}
{{- end -}}

{{- if and .Values.redis.trial.enabled $store.Redis -}}
{{- $problems = append $problems "redis.trial.enabled and config.Gateway.Store.Redis are both set: choose one store." -}}
{{- end -}}
{{- if and .Values.redis.inExistingSecret (or .Values.redis.trial.enabled $store.Redis) -}}
{{- $problems = append $problems "redis.inExistingSecret is true, and config.Gateway.Store.Redis or redis.trial.enabled is set: choose one store." -}}
{{- end -}}
{{- if and .Values.redis.inExistingSecret (not (or .Values.existingSecret.name .Values.extraEnv .Values.extraEnvFrom)) -}}
{{- $problems = append $problems "redis.inExistingSecret needs the Secret: set existingSecret.name, extraEnv or extraEnvFrom." -}}
{{- end -}}
{{- if and .Values.redis.trial.enabled (not .Values.redis.trial.password) (not .Values.redis.passwordSecret.name) -}}
{{- $problems = append $problems "redis.trial.enabled needs a password: set redis.trial.password or redis.passwordSecret.name." -}}
{{- end -}}
{{- if and .Values.redis.passwordSecret.name (not (include "gateway.usesRedis" .)) -}}
{{- $problems = append $problems "redis.passwordSecret.name is set but there is no Redis: set config.Gateway.Store.Redis too." -}}
{{- end -}}

{{- if not (include "gateway.usesRedis" .) -}}
{{- if gt (int .Values.replicas) 1 -}}
{{- $problems = append $problems (printf "replicas is %d, but the embedded store is for one process: set config.Gateway.Store.Redis (or redis.trial.enabled to try it out), or replicas: 1." (int .Values.replicas)) -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- $problems = append $problems "autoscaling.enabled is true, but the embedded store is for one process: set config.Gateway.Store.Redis, or autoscaling.enabled: false." -}}
{{- end -}}
{{- end -}}
{{- if .Values.autoscaling.enabled -}}
{{- if lt (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas) -}}
{{- $problems = append $problems (printf "autoscaling.maxReplicas is %d: it must not be below autoscaling.minReplicas, which is %d." (int .Values.autoscaling.maxReplicas) (int .Values.autoscaling.minReplicas)) -}}
{{- end -}}
{{- if not (or .Values.autoscaling.targetOpenStreams .Values.autoscaling.targetCPUPercent) -}}
{{- $problems = append $problems "autoscaling has no target: set autoscaling.targetOpenStreams or autoscaling.targetCPUPercent." -}}
{{- end -}}
{{- end -}}

{{- $keys := list -}}
{{- range $name, $tenant := $gateway.Tenants -}}
{{- $keys = concat $keys (($tenant | default dict).Keys | default list) -}}
{{- end -}}
{{- $keysFromOutside := or .Values.existingSecret.name .Values.extraEnvFrom -}}
{{- range .Values.extraEnv -}}
{{- if regexMatch "(?i)^Gateway__Tenants__.+__Keys__[0-9]+$" .name -}}{{- $keysFromOutside = true -}}{{- end -}}
{{- if and (regexMatch "(?i)^Gateway__Store__Redis$" .name) (not $.Values.redis.inExistingSecret) -}}
{{- $problems = append $problems (printf "extraEnv %s is set: set redis.inExistingSecret: true too, or the chart makes the embedded store." .name) -}}
{{- end -}}
{{- /* Kubernetes puts another variable's value in the place of $(NAME). */ -}}
{{- if and .value (not (contains "$(" .value)) (or (regexMatch "(?i)(ApiKey$|__Keys__|__Headers__|_Headers$|Password|Token$|Secret)" .name) (regexMatch "(?i)password\\s*=|://[^/?#]*@" .value)) -}}
{{- $problems = append $problems (printf "extraEnv %s has its value in clear: take it from a Secret with valueFrom.secretKeyRef." .name) -}}
{{- end -}}
{{- end -}}
{{- if not (or $keys $keysFromOutside $gateway.AllowAnonymous) -}}
{{- $problems = append $problems "there is no API key, and the gateway does not serve a network without one: set config.Gateway.Tenants.<tenant>.Keys, name a Secret in existingSecret.name, or set config.Gateway.AllowAnonymous: true to serve everyone who reaches it." -}}
{{- end -}}
{{- if and .Values.existingSecret.name (include "gateway.secretFile" .) -}}
{{- $problems = append $problems (printf "existingSecret.name is set, but config holds secrets too (%s): put them into that Secret." (join ", " (include "gateway.secretPlaces" . | fromJsonArray))) -}}
{{- end -}}

{{- if and .Values.pythonTool.enabled (not .Values.pythonTool.key) (not .Values.pythonTool.existingSecret.name) -}}
{{- $problems = append $problems "pythonTool.enabled needs a key: set pythonTool.key or pythonTool.existingSecret.name." -}}
{{- end -}}
{{- if and .Values.pythonTool.enabled (semverCompare "<1.33.0-0" .Capabilities.KubeVersion.Version) -}}
{{- $problems = append $problems (printf "pythonTool.enabled needs Kubernetes 1.33 or later, whose pods can have user namespaces of their own; this is %s." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) -}}
{{- with include "gateway.closedPlaces" . | fromJsonArray -}}
{{- $problems = append $problems (printf "networkPolicy.enabled closes the gateway off from %s: add rules for them to networkPolicy.egress." (join ", " .)) -}}
{{- end -}}
{{- end -}}
{{- if and .Values.metrics.serviceMonitor.enabled .Values.networkPolicy.enabled .Values.networkPolicy.ingressFrom (not .Values.networkPolicy.metricsFrom) -}}
{{- $problems = append $problems "metrics.serviceMonitor.enabled, but networkPolicy.ingressFrom keeps Prometheus out: name it in networkPolicy.metricsFrom." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- $problems = append $problems "ingress.enabled needs a host: set ingress.hosts." -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- $problems = append $problems "httpRoute.enabled needs a Gateway: set httpRoute.parentRefs." -}}
{{- end -}}
{{- if and .Values.httpRoute.envoyPolicy.enabled (not .Values.httpRoute.enabled) -}}
{{- $problems = append $problems "httpRoute.envoyPolicy.enabled needs httpRoute.enabled: true." -}}
{{- end -}}

{{- if $problems -}}
{{- fail (printf "\n\nThese values do not go together:\n- %s\n" (join "\n- " $problems)) -}}
{{- end -}}
{{- end -}}

{{/*
Servers that a network policy without rules of yours does not let the gateway reach, by the keys that name them, as a JSON list. Tool egress lets
it reach public names at toolEgress.ports; names without a dot and of the cluster are not public.
*/}}
{{- define "gateway.closedPlaces" -}}
{{- $gateway := dig "Gateway" dict (.Values.config | default dict) | default dict -}}
{{- $addresses := dict -}}
{{- range $name, $upstream := $gateway.Upstreams -}}
{{- $upstream = $upstream | default dict -}}
{{- $_ := set $addresses (printf "config.Gateway.Upstreams.%s" $name) (concat ($upstream.Addresses | default list) (list $upstream.Address) | compact) -}}
{{- end -}}
{{- range $name, $server := ($gateway.Tools | default dict).Servers -}}
{{- $_ := set $addresses (printf "config.Gateway.Tools.Servers.%s" $name) (list ($server | default dict).Url | compact) -}}
{{- end -}}
{{- $_ := set $addresses "otlp.endpoint" (list .Values.otlp.endpoint | compact) -}}
{{- $places := list -}}
{{- range $place := keys $addresses | sortAlpha -}}
{{- $closed := false -}}
{{- range $address := get $addresses $place -}}
{{- $authority := regexReplaceAll "^[A-Za-z]+://([^/?#]*@)?" (regexFind "^[A-Za-z]+://[^/?#]*" (toString $address)) "" -}}
{{- $host := regexReplaceAll ":[0-9]+$" $authority "" -}}
{{- $port := regexFind "[0-9]+$" (regexFind ":[0-9]+$" $authority) | default (ternary "443" "80" (hasPrefix "https:" (lower (toString $address)))) -}}
{{- $inside := or (not (contains "." $host)) (regexMatch "\\.(svc|cluster\\.local|internal)\\.?$|^(10|127|192\\.168|172\\.(1[6-9]|2[0-9]|3[01]))\\." $host) -}}
{{- if or $inside (not $.Values.networkPolicy.toolEgress.enabled) (not (has $port (include "gateway.toolPorts" $ | fromJsonArray))) -}}{{- $closed = true -}}{{- end -}}
{{- end -}}
{{- if $closed -}}{{- $places = append $places $place -}}{{- end -}}
{{- end -}}
{{- if or ($gateway.Store | default dict).Redis .Values.redis.inExistingSecret -}}{{- $places = append $places "Redis" -}}{{- end -}}
{{- toJson $places -}}
{{- end -}}

{{/* The ports of tool egress as texts, as a JSON list. */}}
{{- define "gateway.toolPorts" -}}
{{- $ports := list -}}
{{- range .Values.networkPolicy.toolEgress.ports -}}{{- $ports = append $ports (toString .) -}}{{- end -}}
{{- toJson $ports -}}
{{- end -}}

{{/* Where in config the secrets stand, without their values, as a JSON list. */}}
{{- define "gateway.secretPlaces" -}}
{{- $places := list -}}
{{- $file := include "gateway.secretFile" . | default "{}" | fromJson -}}
{{- range $section, $value := $file.Gateway -}}
{{- $places = append $places (printf "config.Gateway.%s" $section) -}}
{{- end -}}
{{- if $file.Kestrel -}}{{- $places = append $places "config.Kestrel" -}}{{- end -}}
{{- toJson $places -}}
{{- end -}}
