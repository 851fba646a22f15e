namespace Chart.Tests;

/// <summary>Values that are wrong are refused before anything reaches a cluster, with a message that names them.</summary>
public sealed class RefusalTests
{
    [Theory]
    // By the schema: kinds and ranges.
    [InlineData("embedded", "replicas=two", "at '/replicas': got string, want integer")]
    [InlineData("embedded", "replicas=0", "at '/replicas': minimum: got 0, want 1")]
    [InlineData("embedded", "replica=2", "additional properties 'replica' not allowed")]
    [InlineData("embedded", "image.tag=latest", "at '/image/tag'")]
    [InlineData("embedded", "image.digest=sha256:abc", "at '/image/digest'")]
    [InlineData("embedded", "service.port=0", "at '/service/port'")]
    [InlineData("embedded", "persistence.size=10GB", "at '/persistence/size'")]
    [InlineData("embedded", "persistence.accessModes[0]=ReadWriteMany", "at '/persistence/accessModes/0'")]
    [InlineData("embedded", "resources.limits=null", "at '/resources'")]
    [InlineData("embedded", "ingress.controller=apache", "at '/ingress/controller'")]
    [InlineData("embedded", "shutdown.drainSeconds=3601", "at '/shutdown/drainSeconds'")]
    [InlineData("trial", "redis.trial.password=short", "at '/redis/trial/password'")]
    [InlineData("trial", "redis.trial.image.tag=latest", "at '/redis/trial/image/tag'")]
    [InlineData("trial", "pythonTool.key=short", "at '/pythonTool/key'")]
    // By the schema: the gateway's own configuration.
    [InlineData("embedded", "config.Gateway.Upstreams.local.Adress=http://x/v1", "additional properties 'Adress' not allowed")]
    [InlineData("embedded", "config.Gateway.Upstreams.local.FirstByteTimeout=300", "at '/config/Gateway/Upstreams/local/FirstByteTimeout'")]
    [InlineData("embedded", "config.Gateway.Limits.OpenStreams=many", "at '/config/Gateway/Limits/OpenStreams': got string, want integer")]
    [InlineData("embedded", "config.Gateway.Policy.Store=Sometimes", "at '/config/Gateway/Policy/Store'")]
    [InlineData("embedded", "config.Gateway.Tenants.Acme!.Keys[0]=k", "additional properties 'Acme!' not allowed")]
    // By the chart: what does not go together.
    [InlineData("embedded", "replicas=2", "replicas is 2, but the embedded store is for one process: set config.Gateway.Store.Redis")]
    [InlineData("embedded", "autoscaling.enabled=true", "autoscaling.enabled is true, but the embedded store is for one process")]
    [InlineData("anonymous", "config.Gateway.AllowAnonymous=false", "there is no API key, and the gateway does not serve a network without one: set config.Gateway.Tenants.<tenant>.Keys")]
    [InlineData("production", "extraEnv=null", "there is no API key")]
    [InlineData("embedded", "config.Gateway.Hosting.DrainTimeout=00:01:00", "config.Gateway.Hosting.DrainTimeout is set: set shutdown.drainSeconds instead")]
    [InlineData("embedded", "config.Gateway.Store.Path=/elsewhere", "config.Gateway.Store.Path is set")]
    [InlineData("embedded", "config.Gateway.Store.RedisPasswordFile=/x", "config.Gateway.Store.RedisPasswordFile is set: name the Secret in redis.passwordSecret instead")]
    [InlineData("embedded", "redis.passwordSecret.name=x", "redis.passwordSecret.name is set but there is no Redis")]
    [InlineData("trial", "config.Gateway.Store.Redis=redis:6379", "redis.trial.enabled and config.Gateway.Store.Redis are both set")]
    [InlineData("trial", "redis.trial.password=", "redis.trial.enabled needs a password")]
    [InlineData("trial", "pythonTool.key=", "pythonTool.enabled needs a key")]
    [InlineData("trial", "networkPolicy.egress=null", "networkPolicy.enabled closes the gateway off from config.Gateway.Upstreams.local: add rules for them to networkPolicy.egress")]
    [InlineData("production", "networkPolicy.egress=null", "closes the gateway off from config.Gateway.Tools.Servers.wiki, config.Gateway.Upstreams.local, Redis: add rules")]
    [InlineData("everything", "networkPolicy.egress=null", "closes the gateway off from config.Gateway.Tools.Servers.search, config.Gateway.Upstreams.local, otlp.endpoint, Redis: add rules")]
    [InlineData("everything", "networkPolicy.egress=null,networkPolicy.toolEgress.enabled=true", "closes the gateway off from config.Gateway.Tools.Servers.search, otlp.endpoint, Redis: add rules")]
    [InlineData("production", "networkPolicy.metricsFrom=null", "networkPolicy.ingressFrom keeps Prometheus out: name it in networkPolicy.metricsFrom")]
    [InlineData("production", "redis.inExistingSecret=true", "redis.inExistingSecret is true, and config.Gateway.Store.Redis or redis.trial.enabled is set")]
    [InlineData("anonymous", "redis.inExistingSecret=true", "redis.inExistingSecret needs the Secret")]
    [InlineData("trial", "ingress.hosts=null", "ingress.enabled needs a host")]
    [InlineData("production", "httpRoute.parentRefs=null", "httpRoute.enabled needs a Gateway")]
    [InlineData("production", "httpRoute.enabled=false", "httpRoute.envoyPolicy.enabled needs httpRoute.enabled: true")]
    [InlineData("production", "autoscaling.maxReplicas=2", "autoscaling.maxReplicas is 2: it must not be below autoscaling.minReplicas, which is 3")]
    [InlineData("production", "autoscaling.targetOpenStreams=0,autoscaling.targetCPUPercent=0", "autoscaling has no target")]
    [InlineData("existing-secret", "config.Gateway.Tenants.acme.Keys[0]=k", "config holds secrets too (config.Gateway.Tenants): put them into that Secret")]
    [InlineData("embedded", "extraEnv[0].name=Gateway__Upstreams__local__ApiKey,extraEnv[0].value=k", "extraEnv Gateway__Upstreams__local__ApiKey has its value in clear")]
    [InlineData("embedded", "extraEnv[0].name=Gateway__Store__Redis,extraEnv[0].valueFrom.secretKeyRef.name=s,extraEnv[0].valueFrom.secretKeyRef.key=k", "extraEnv Gateway__Store__Redis is set: set redis.inExistingSecret: true too")]
    [InlineData("embedded", "extraEnv[0].name=OTEL_EXPORTER_OTLP_HEADERS,extraEnv[0].value=authorization=k", "extraEnv OTEL_EXPORTER_OTLP_HEADERS has its value in clear")]
    [InlineData("embedded", "extraEnv[0].name=Gateway__Store__Redis,extraEnv[0].value=redis:6379\\,password=k", "extraEnv Gateway__Store__Redis has its value in clear")]
    [InlineData("embedded", "extraEnv[0].name=Gateway__Upstreams__x__Address,extraEnv[0].value=http://u:k@x/v1", "extraEnv Gateway__Upstreams__x__Address has its value in clear")]
    [InlineData("existing-secret", "config.Kestrel.Certificates.Default.Password=k", "config holds secrets too (config.Kestrel): put them into that Secret")]
    public async Task Values_ThatAreWrong_AreRefusedByName(string name, string set, string message)
    {
        var result = await Helm.TemplateAsync("--values", Helm.ValuesOf(name), "--set", set);

        Assert.NotEqual(0, result.ExitCode);
        Assert.Contains(message, result.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("-in-clear", result.Error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer $(TOKEN)")]
    [InlineData("Gateway__Upstreams__local__Headers__X-Key", "$(TOKEN)")]
    [InlineData("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")]
    public async Task Environment_ThatTakesASecretFromAnotherVariable_OrHasNone_IsTaken(string name, string value)
    {
        var result = await Helm.TemplateAsync("--values", Helm.ValuesOf("embedded"), "--set", $"extraEnv[0].name={name},extraEnv[0].value={value}");

        Assert.Contains($"value: {value}", result.OutputOfSuccess(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Values_WithSeveralMistakes_AreToldTogether()
    {
        var result = await Helm.TemplateAsync("--set", "replicas=3,ingress.enabled=true");

        Assert.Contains("there is no API key", result.Error, StringComparison.Ordinal);
        Assert.Contains("replicas is 3", result.Error, StringComparison.Ordinal);
        Assert.Contains("ingress.enabled needs a host", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kubernetes_WithoutUserNamespaces_IsRefusedForThePythonTool()
    {
        var result = await Helm.RunAsync("template", "gw", Folders.Chart, "--kube-version", "1.32", "--values", Helm.ValuesOf("trial"));

        Assert.Contains("pythonTool.enabled needs Kubernetes 1.33 or later", result.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Kubernetes_WithoutASleepingPreStop_IsRefused()
    {
        var result = await Helm.RunAsync("template", "gw", Folders.Chart, "--kube-version", "1.29", "--values", Helm.ValuesOf("embedded"));

        Assert.Contains("chart requires kubeVersion: >=1.30.0-0", result.Error, StringComparison.Ordinal);
    }
}
