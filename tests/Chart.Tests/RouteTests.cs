using System.Globalization;

namespace Chart.Tests;

/// <summary>What stands in front of the gateway neither buffers nor ends a stream, and lets only the API through.</summary>
public sealed class RouteTests
{
    [Theory]
    [InlineData("nginx", "nginx.ingress.kubernetes.io/proxy-buffering", "off")]
    [InlineData("nginx", "nginx.ingress.kubernetes.io/proxy-read-timeout", "3660")]
    [InlineData("nginx", "nginx.ingress.kubernetes.io/proxy-body-size", "33554432")]
    [InlineData("nginx", "nginx.org/proxy-buffering", "False")]
    [InlineData("nginx", "nginx.org/proxy-read-timeout", "3660s")]
    [InlineData("nginx", "nginx.org/client-max-body-size", "33554432")]
    [InlineData("haproxy", "haproxy.org/timeout-server", "3660s")]
    [InlineData("haproxy", "haproxy-ingress.github.io/timeout-server", "3660s")]
    [InlineData("haproxy", "haproxy-ingress.github.io/proxy-body-size", "33554432")]
    [InlineData("contour", "projectcontour.io/response-timeout", "infinity")]
    public async Task Ingress_OfEachController_LetsStreamsThrough(string controller, string annotation, string value)
    {
        var ingress = (await Manifests.OfAsync("trial", $"ingress.controller={controller}")).One("Ingress");

        Assert.Equal(value, ingress.Text("metadata", "annotations", annotation));
    }

    [Fact]
    public async Task Ingress_OfTraefik_WaitsForAnswers()
    {
        var manifests = await Manifests.OfAsync("existing-secret");

        Assert.Equal("3660s", manifests.One("ServersTransport").Text("spec", "forwardingTimeouts", "responseHeaderTimeout"));
        Assert.Equal(
            $"apps-{manifests.One("ServersTransport").Name()}@kubernetescrd",
            manifests.One("Service").Text("metadata", "annotations", "traefik.ingress.kubernetes.io/service.serverstransport"));
    }

    [Fact]
    public async Task Ingress_WithALongerBody_LetsItThrough()
    {
        var ingress = (await Manifests.OfAsync("trial", "config.Gateway.Limits.RequestBodyBytes=104857600")).One("Ingress");

        Assert.Equal("104857600", ingress.Text("metadata", "annotations", "nginx.ingress.kubernetes.io/proxy-body-size"));
    }

    [Fact]
    public async Task Annotations_OfTheOperator_Win()
    {
        var ingress = (await Manifests.OfAsync("everything")).One("Ingress");

        Assert.Equal("2h", ingress.Text("metadata", "annotations", "haproxy.org/timeout-server"));
        Assert.Equal("3660s", ingress.Text("metadata", "annotations", "haproxy-ingress.github.io/timeout-server"));
    }

    [Fact]
    public async Task Paths_FromOutside_AreThoseOfTheApi()
    {
        var ingress = (await Manifests.OfAsync("trial")).One("Ingress");
        var route = (await Manifests.OfAsync("production")).One("HTTPRoute");

        Assert.Equal(["/v1", "/inference/v1"], ingress.List("spec", "rules").SelectMany(rule => rule.List("http", "paths")).Select(path => path.Text("path")));
        Assert.Equal(["/v1", "/inference/v1"], route.List("spec", "rules").SelectMany(rule => rule.List("matches")).Select(match => match.Text("path", "value")));
    }

    [Fact]
    public async Task Route_HasNoTimeoutOfItsOwn()
    {
        var manifests = await Manifests.OfAsync("production");

        var rule = manifests.One("HTTPRoute").List("spec", "rules").Single();
        Assert.Equal("""{"request":"0s","backendRequest":"0s"}""", rule.At("timeouts")!.ToJsonString());
        var service = manifests.One("Service");
        Assert.Equal(service.Name(), rule.List("backendRefs").Single().Text("name"));
        Assert.Equal(service.List("spec", "ports").Single().Text("port"), rule.List("backendRefs").Single().Text("port"));
        Assert.Null((await Manifests.OfAsync("everything")).One("HTTPRoute").List("spec", "rules").Single().At("timeouts"));
    }

    /// <summary>https://gateway.envoyproxy.io/latest/tasks/traffic/grpc-timeouts has the members of timeout.http.</summary>
    [Fact]
    public async Task EnvoyPolicy_LetsTheRoutesStreamsBeSilent()
    {
        var manifests = await Manifests.OfAsync("production");

        var spec = manifests.One("BackendTrafficPolicy").At("spec");
        Assert.Equal("""{"http":{"requestTimeout":"0s","maxStreamDuration":"0s","streamIdleTimeout":"3660s"}}""", spec.At("timeout")!.ToJsonString());
        var target = spec.List("targetRefs").Single();
        Assert.Equal(("gateway.networking.k8s.io", "HTTPRoute", manifests.One("HTTPRoute").Name()), (target.Text("group"), target.Text("kind"), target.Text("name")));
    }

    [Fact]
    public async Task ProxyTimeout_OutlastsTheLongestResponse()
    {
        var seconds = (await Manifests.OfAsync("trial")).One("Ingress").Text("metadata", "annotations", "nginx.ingress.kubernetes.io/proxy-read-timeout")!;

        Assert.True(int.Parse(seconds, CultureInfo.InvariantCulture) > new Gateway.Policy.LimitsOptions().ResponseTime.TotalSeconds);
    }
}
