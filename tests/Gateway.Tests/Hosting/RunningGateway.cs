using Gateway.Hosting;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Hosting;

/// <summary>The executable's pipeline on a real loopback socket.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    private RunningGateway(WebApplication app)
    {
        App = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public WebApplication App { get; }

    public HttpClient Client { get; }

    public static async Task<RunningGateway> StartAsync(
        string[]? args = null, Action<WebApplicationBuilder>? configure = null, Action<WebApplication>? map = null)
    {
        var app = GatewayApplication.Build(
            ["--urls=http://127.0.0.1:0", "--Gateway:Hosting:Banner=false", .. args ?? []],
            builder =>
            {
                builder.Logging.ClearProviders();
                configure?.Invoke(builder);
            });
        map?.Invoke(app);
        await app.StartAsync();
        return new RunningGateway(app);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
    }
}
