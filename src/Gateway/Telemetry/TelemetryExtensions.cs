using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Gateway.Telemetry;

internal static class TelemetryExtensions
{
    private static readonly string[] OtlpKeys =
    [
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
    ];

    /// <summary>
    /// The meters at <c>/metrics</c>, always; metrics, traces and logs by OTLP when an endpoint is configured. Tracing is set up only then:
    /// without an exporter its spans would cost each request and help nobody.
    /// </summary>
    public static IHostApplicationBuilder AddGatewayTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<GatewayMetrics>();
        var telemetry = builder.Services.AddOpenTelemetry()
            // Without a fixed name the SDK says unknown_service:gateway. OTEL_SERVICE_NAME wins over it.
            .ConfigureResource(resource => resource.AddService("gateway", autoGenerateServiceInstanceId: true).AddEnvironmentVariableDetector())
            .WithMetrics(metrics => metrics
                .AddMeter(TelemetryNames.Gateway, "Microsoft.AspNetCore.Server.Kestrel")
                .AddRuntimeInstrumentation()
                .AddPrometheusExporter());
        if (ExportsOtlp(builder.Configuration))
        {
            telemetry
                .WithTracing(traces => traces
                    .AddSource(TelemetryNames.Gateway)
                    .AddAspNetCoreInstrumentation(o => o.Filter = context => !IsProbe(context.Request.Path))
                    .AddHttpClientInstrumentation())
                .WithLogging()
                .UseOtlpExporter();
        }

        return builder;
    }

    /// <summary>Maps <c>/metrics</c> in Prometheus' text format. Open without a key, as scrapers expect; it names no tenant.</summary>
    public static void MapGatewayTelemetry(this IEndpointRouteBuilder endpoints) =>
        endpoints.MapPrometheusScrapingEndpoint().AllowAnonymous();

    /// <summary>An OTLP endpoint is configured, by the SDK's own variables.</summary>
    internal static bool ExportsOtlp(IConfiguration configuration) => OtlpKeys.Any(key => !string.IsNullOrEmpty(configuration[key]));

    private static bool IsProbe(PathString path) => path.StartsWithSegments("/health") || path.StartsWithSegments("/metrics");
}
