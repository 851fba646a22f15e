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
{{- if and .value (regexMatch "(?i)(ApiKey$|__Keys__|__Headers__|Password|Token$|Secret)" .name) -}}
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

{{/* Where in config the secrets stand, without their values, as a JSON list. */}}
{{- define "gateway.secretPlaces" -}}
{{- $places := list -}}
{{- range $section, $value := (include "gateway.secretFile" . | default "{}" | fromJson).Gateway -}}
{{- $places = append $places (printf "config.Gateway.%s" $section) -}}
{{- end -}}
{{- toJson $places -}}
{{- end -}}
