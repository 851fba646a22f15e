using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Logging.Console;

namespace Gateway.Tests.Hosting;

/// <summary>The executable's pipeline on a real loopback socket.</summary>
internal sealed class RunningGateway : IAsyncDisposable
{
    private readonly TemporaryFolder _store;

    private RunningGateway(WebApplication app, TemporaryFolder store)
    {
        _store = store;
        App = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public WebApplication App { get; }

    public HttpClient Client { get; }

    public static async Task<RunningGateway> StartAsync(
        string[]? args = null, Action<WebApplicationBuilder>? configure = null, Action<WebApplication>? map = null)
    {
        var store = new TemporaryFolder();
        var app = GatewayApplication.Build(
            ["--urls=http://127.0.0.1:0", "--Gateway:Hosting:Banner=false", $"--Gateway:Store:Path={store.Path}", .. args ?? []],
            builder =>
            {
                // Nothing on the console; an exporter's provider stays.
                builder.Services.Remove(builder.Services.First(service => service.ImplementationType == typeof(ConsoleLoggerProvider)));
                configure?.Invoke(builder);
            });
        map?.Invoke(app);
        await app.StartAsync();
        return new RunningGateway(app, store);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await App.DisposeAsync();
        _store.Dispose();
    }
}
