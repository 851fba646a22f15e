using Gateway.Hosting;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Hosting;

public sealed class MiddlewareTests
{
    [Fact]
    public async Task Tenant_WrongKey_LeavesTheErrorForTheRendererAndStops()
    {
        await using var gateway = await RunningGateway.StartAsync(["--Gateway:Tenants:a:Keys:0=k"]);
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = "Bearer wrong";
        var reached = false;

        await Tenants(gateway.App, _ => reached = true).InvokeAsync(context);

        Assert.False(reached);
        Assert.Equal(401, context.Response.StatusCode);
        Assert.Equal("invalid_api_key", context.Features.Get<ApiError>()?.Code);
        Assert.Throws<InvalidOperationException>(() => context.GetTenant());
    }

    [Fact]
    public async Task Tenant_RightKey_IsTheRequestsTenant()
    {
        await using var gateway = await RunningGateway.StartAsync(["--Gateway:Tenants:a:Keys:0=k"]);
        var context = new DefaultHttpContext();
        context.Request.Headers.Authorization = "Bearer k";

        await Tenants(gateway.App, _ => { }).InvokeAsync(context);

        Assert.Equal("a", context.GetTenant().Name);
        Assert.Null(context.Features.Get<ApiError>());
    }

    [Fact]
    public async Task Tenant_OpenEndpoint_IsPassedWithoutOne()
    {
        await using var gateway = await RunningGateway.StartAsync(["--Gateway:Tenants:a:Keys:0=k"]);
        var context = new DefaultHttpContext();
        context.SetEndpoint(new Endpoint(null, new EndpointMetadataCollection(new AllowAnonymousAttribute()), null));
        var reached = false;

        await Tenants(gateway.App, _ => reached = true).InvokeAsync(context);

        Assert.True(reached);
        Assert.Null(context.Features.Get<Tenant>());
    }

    [Fact]
    public async Task Drain_PostWhileDraining_LeavesTheErrorForTheRenderer()
    {
        await using var gateway = await RunningGateway.StartAsync();
        var drain = gateway.App.Services.GetRequiredService<Drain>();
        await gateway.App.StopAsync();
        var context = new DefaultHttpContext();
        context.Request.Method = "POST";

        await new DrainMiddleware(_ => Task.CompletedTask, drain).InvokeAsync(context);

        Assert.Equal((503, "gateway_stopping"), (context.Features.Get<ApiError>()?.Status, context.Features.Get<ApiError>()?.Code));
        Assert.Equal(0, drain.Running);
    }

    [Fact]
    public async Task RequestId_EveryAnswer_HasItsOwnAndReplacesForeignOnes()
    {
        await using var gateway = await RunningGateway.StartAsync(map: app => app.MapGet("/upstream", context =>
        {
            context.Response.Headers["x-request-id"] = "from-upstream";
            return context.Response.WriteAsync(context.TraceIdentifier);
        }));
        using var request = new HttpRequestMessage(HttpMethod.Get, "/upstream");
        request.Headers.Add("X-Client-Request-Id", "mine");

        using var answer = await gateway.Client.SendAsync(request);
        using var missing = await gateway.Client.GetAsync(new Uri("/nowhere", UriKind.Relative));

        var id = Assert.Single(answer.Headers.GetValues("x-request-id"));
        Assert.Matches("^req_[0-9a-f]{32}$", id);
        Assert.Equal(await answer.Content.ReadAsStringAsync(), id);
        Assert.Equal("2020-10-01", Assert.Single(answer.Headers.GetValues("openai-version")));
        Assert.Matches("^[0-9]+$", Assert.Single(answer.Headers.GetValues("openai-processing-ms")));
        Assert.NotEqual(id, Assert.Single(missing.Headers.GetValues("x-request-id")));
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Fact]
    public async Task Body_LongerThanTheLimit_IsRefusedByTheServer()
    {
        await using var gateway = await RunningGateway.StartAsync(
            ["--Gateway:Limits:RequestBodyBytes=1024"],
            map: app => app.MapPost("/read", async context =>
            {
                try
                {
                    await context.Request.Body.CopyToAsync(Stream.Null);
                }
                catch (BadHttpRequestException e)
                {
                    context.Response.StatusCode = e.StatusCode;
                }
            }));
        using var content = new ByteArrayContent(new byte[1025]);

        using var answer = await gateway.Client.PostAsync(new Uri("/read", UriKind.Relative), content);

        Assert.Equal(413, (int)answer.StatusCode);
    }

    [Fact]
    public async Task Metrics_AfterARequest_ListTheGatewaysInstruments()
    {
        await using var gateway = await RunningGateway.StartAsync();
        gateway.App.Services.GetRequiredService<Gateway.Telemetry.GatewayMetrics>()
            .ResponseFinished("openai", "completed", stream: false, TimeSpan.FromSeconds(1));

        var text = await gateway.Client.GetStringAsync(new Uri("/metrics", UriKind.Relative));

        Assert.Contains("gateway_responses_total{", text, StringComparison.Ordinal);
        Assert.Contains("gen_ai_server_request_duration_seconds_bucket{", text, StringComparison.Ordinal);
        Assert.Contains("gateway_response_status=\"completed\"", text, StringComparison.Ordinal);
        Assert.Contains("dotnet_gc_collections_total", text, StringComparison.Ordinal);
    }

    private static TenantMiddleware Tenants(WebApplication app, Action<HttpContext> next) =>
        new(
            context =>
            {
                next(context);
                return Task.CompletedTask;
            },
            app.Services.GetRequiredService<TenantDirectory>());
}
