using Yarp.ReverseProxy.Configuration;

namespace Gateway.Load;

/// <summary>The yardstick: YARP with its default settings, one route, one cluster, one destination.</summary>
internal static class YarpServer
{
    public static async Task RunAsync(YarpOptions options, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateBuilder();

        // YARP's own two lines a request would be most of its cost.
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        builder.WebHost.UseUrls($"http://127.0.0.1:{options.Port}");
        builder.Services.AddReverseProxy().LoadFromMemory(
            [new RouteConfig { RouteId = "v1", ClusterId = "mock", Match = new RouteMatch { Path = "/v1/{**path}" } }],
            [
                new ClusterConfig
                {
                    ClusterId = "mock",
                    Destinations = new Dictionary<string, DestinationConfig> { ["mock"] = new() { Address = options.Destination } },
                },
            ]);
        await using var app = builder.Build();
        app.MapReverseProxy();
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
    }
}
