{{/* The gateway's pod, for the Deployment and the StatefulSet. */}}
{{- define "gateway.pod" -}}
{{- $redisPassword := include "gateway.redisPassword" . | default "{}" | fromJson -}}
{{- $secret := include "gateway.secretRef" . | default "{}" | fromJson -}}
metadata:
  labels:
    {{- include "gateway.labels" (list . "gateway") | nindent 4 }}
    {{- with .Values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: gateway
    {{- if .Values.rolloutOnConfigChange }}
    # Eight digits tell a change, and too little of a password to find it by trying.
    checksum/config: {{ printf "%s\n%s" (include "gateway.settingsFile" .) (include "gateway.secretFile" .) | sha256sum | trunc 8 }}
    {{- if .Values.redis.trial.enabled }}
    checksum/redis: {{ .Values.redis.trial.password | sha256sum | trunc 8 }}
    {{- end }}
    {{- if .Values.pythonTool.enabled }}
    checksum/python-tool: {{ .Values.pythonTool.key | sha256sum | trunc 8 }}
    {{- end }}
    {{- end }}
    {{- with .Values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ include "gateway.serviceAccountName" . }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .Values.imagePullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  terminationGracePeriodSeconds: {{ add (int .Values.shutdown.preStopSeconds) (int .Values.shutdown.drainSeconds) 10 }}
  securityContext:
    {{- toYaml .Values.podSecurityContext | nindent 4 }}
  containers:
    - name: gateway
      image: {{ include "gateway.image" (list . .Values.image) | quote }}
      imagePullPolicy: {{ .Values.image.pullPolicy }}
      # Settings are read from the working folder, and over them the file with the secrets.
      workingDir: /etc/gateway/config
      {{- if $secret }}
      args: ["--config", "/etc/gateway/secret/gateway.json"]
      {{- end }}
      env:
        - name: ASPNETCORE_HTTP_PORTS
          value: "8080"
        # Kubernetes changes mounted files by moving a link, which the other kind of watcher does not see.
        - name: DOTNET_USE_POLLING_FILE_WATCHER
          value: "1"
        {{- if .Values.otlp.endpoint }}
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: OTEL_EXPORTER_OTLP_ENDPOINT
          value: {{ .Values.otlp.endpoint | quote }}
        - name: OTEL_EXPORTER_OTLP_PROTOCOL
          value: {{ .Values.otlp.protocol | quote }}
        - name: OTEL_SERVICE_NAME
          value: {{ include "gateway.fullname" . }}
        - name: OTEL_RESOURCE_ATTRIBUTES
          value: k8s.namespace.name={{ .Release.Namespace }},k8s.pod.name=$(POD_NAME)
        {{- end }}
        {{- with .Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .Values.extraEnvFrom }}
      envFrom:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      ports:
        - name: http
          containerPort: 8080
          protocol: TCP
      startupProbe:
        httpGet:
          path: /health/live
          port: http
        {{- if include "gateway.usesRedis" . }}
        {{- toYaml .Values.probes.startup | nindent 8 }}
        {{- else }}
        {{- toYaml (merge (dict "failureThreshold" .Values.persistence.startupFailureThreshold) .Values.probes.startup) | nindent 8 }}
        {{- end }}
      livenessProbe:
        httpGet:
          path: /health/live
          port: http
        {{- toYaml .Values.probes.liveness | nindent 8 }}
      readinessProbe:
        httpGet:
          path: /health/ready
          port: http
        {{- toYaml .Values.probes.readiness | nindent 8 }}
      {{- if .Values.shutdown.preStopSeconds }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ .Values.shutdown.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .Values.resources | nindent 8 }}
      securityContext:
        {{- toYaml .Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: config
          mountPath: /etc/gateway/config
          readOnly: true
        {{- if $secret }}
        - name: secret
          mountPath: /etc/gateway/secret
          readOnly: true
        {{- end }}
        {{- if $redisPassword }}
        - name: redis-password
          mountPath: /etc/gateway/redis
          readOnly: true
        {{- end }}
        {{- if .Values.pythonTool.enabled }}
        - name: python-tool-key
          mountPath: /etc/gateway/python-tool
          readOnly: true
        {{- end }}
        {{- range .Values.secretFiles }}
        - name: secret-{{ . | sha256sum | trunc 12 }}
          mountPath: /etc/gateway/secrets/{{ . }}
          readOnly: true
        {{- end }}
        {{- if not (include "gateway.usesRedis" .) }}
        - name: data
          mountPath: /data
        {{- end }}
        - name: tmp
          mountPath: /tmp
        {{- with .Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "gateway.fullname" . }}
        items:
          - key: appsettings.json
            path: appsettings.json
    {{- with $secret }}
    - name: secret
      secret:
        secretName: {{ .name }}
        defaultMode: 0440
        items:
          - key: {{ .key }}
            path: gateway.json
    {{- end }}
    {{- with $redisPassword }}
    - name: redis-password
      secret:
        secretName: {{ .name }}
        defaultMode: 0440
        items:
          - key: {{ .key }}
            path: password
    {{- end }}
    {{- if .Values.pythonTool.enabled }}
    {{- $key := include "gateway.pythonToolKey" . | fromJson }}
    - name: python-tool-key
      secret:
        secretName: {{ $key.name }}
        defaultMode: 0440
        items:
          - key: {{ $key.key }}
            path: key
    {{- end }}
    {{- range .Values.secretFiles }}
    - name: secret-{{ . | sha256sum | trunc 12 }}
      secret:
        secretName: {{ . }}
        defaultMode: 0440
    {{- end }}
    {{- if not (include "gateway.usesRedis" .) }}
    {{- if not .Values.persistence.enabled }}
    - name: data
      emptyDir: {}
    {{- else if .Values.persistence.existingClaim }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ .Values.persistence.existingClaim }}
    {{- end }}
    {{- end }}
    - name: tmp
      emptyDir:
        sizeLimit: 64Mi
    {{- with .Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if include "gateway.usesRedis" . }}
  {{- with .Values.topologySpread }}
  topologySpreadConstraints:
    {{- range . }}
    -
      {{- toYaml . | nindent 6 }}
      labelSelector:
        matchLabels:
          {{- include "gateway.selectorLabels" (list $ "gateway") | nindent 10 }}
      matchLabelKeys: [pod-template-hash]
    {{- end }}
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end -}}
