using System.Collections.Concurrent;
using Gateway.Telemetry;
using Gateway.Tests.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Trace;

namespace Gateway.Tests.Telemetry;

public sealed class OtlpTests
{
    [Fact]
    public async Task Start_NoEndpointConfigured_SetsNoTracingUp()
    {
        await using var gateway = await RunningGateway.StartAsync();

        Assert.Null(gateway.App.Services.GetService<TracerProvider>());
    }

    [Fact]
    public async Task Stop_EndpointConfigured_HasSentMetricsTracesAndLogs()
    {
        ConcurrentDictionary<string, bool> received = [];
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var collector = builder.Build();
        collector.Run(context =>
        {
            received[context.Request.Path.Value ?? string.Empty] = true;
            return Task.CompletedTask;
        });
        await collector.StartAsync();

        await using (var gateway = await RunningGateway.StartAsync(
            [$"--OTEL_EXPORTER_OTLP_ENDPOINT={collector.Urls.First()}", "--OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"]))
        {
            GatewayActivitySource.StartCommit()?.Dispose();
            gateway.App.Services.GetRequiredService<GatewayMetrics>().StreamOpened();
            using var answer = await gateway.Client.GetAsync(new Uri("/v1/nothing", UriKind.Relative));
            await gateway.App.StopAsync();
        }

        Assert.Equal(["/v1/logs", "/v1/metrics", "/v1/traces"], received.Keys.Order());
    }
}
