using System.Net.Sockets;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Upstream;

/// <summary>The upstream side alone, in a real server on loopback, with configuration that a test may change while it runs.</summary>
internal sealed class UpstreamHost : IAsyncDisposable
{
    private readonly WebApplication _app;

    private UpstreamHost(WebApplication app)
    {
        _app = app;
        Client = new HttpClient { BaseAddress = new Uri(app.Urls.First()) };
    }

    public HttpClient Client { get; }

    public ChatClient Chat => Get<ChatClient>();

    public RouteTable Routes => Get<RouteTable>();

    public T Get<T>()
        where T : notnull => _app.Services.GetRequiredService<T>();

    public static async Task<UpstreamHost> StartAsync(Dictionary<string, string?> settings, Action<IServiceCollection>? configure = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        // Servers of tests count their requests: only tests of probing turn it on.
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Gateway:Probing:Enabled"] = "false" });
        builder.Configuration.AddInMemoryCollection(settings);
        configure?.Invoke(builder.Services);
        builder.AddGatewayUpstreams();
        var app = builder.Build();
        app.Use(async (context, next) =>
        {
            await next(context);
            if (context.Features.Get<ApiError>() is { } error)
            {
                context.Response.StatusCode = error.Status;
                await context.Response.WriteAsync($"{error.Code}|{error.Message}");
            }
        });
        app.UseRouting();
        app.MapGatewayUpstreams();
        await app.StartAsync();
        return new UpstreamHost(app);
    }

    /// <summary>With no address: nothing is configured at all.</summary>
    public static Task<UpstreamHost> StartAsync(params string[] addresses) =>
        StartAsync(addresses.Length == 0 ? [] : Settings(addresses));

    /// <summary>One upstream "main" with the model "m" at these addresses.</summary>
    public static Dictionary<string, string?> Settings(params string[] addresses)
    {
        var settings = new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:main:Models:0"] = "m",
            // Servers count what comes.
            ["Gateway:Upstreams:main:Health:Path"] = "",
        };
        for (var i = 0; i < addresses.Length; i++)
        {
            settings[$"Gateway:Upstreams:main:Addresses:{i}"] = addresses[i];
        }

        return settings;
    }

    /// <summary>Changes settings as an edited file would; null removes a key.</summary>
    public void Reload(params (string Key, string? Value)[] changes)
    {
        var root = (IConfigurationRoot)_app.Services.GetRequiredService<IConfiguration>();
        foreach (var (key, value) in changes)
        {
            root[key] = value;
        }

        root.Reload();
    }

    public ValueTask<ChatReply> SendAsync(string body = "{}", bool stream = false, CancellationToken cancellationToken = default) =>
        Chat.SendAsync(Call(body, stream), cancellationToken);

    /// <summary>A call to everything that serves the model.</summary>
    public ChatCall Call(string body = "{}", bool stream = false, string model = "m", string? affinityKey = null, string tenant = "") => new()
    {
        Routes = Routes.Find(model) ?? new ModelRoutes([new ChatRoute("main", model, RouteProfile.Generic)]),
        Write = _ => new ChatBody(System.Text.Encoding.UTF8.GetBytes(body), stream),
        AffinityKey = affinityKey,
        Tenant = tenant,
    };

    /// <summary>A port on which nobody listens.</summary>
    public static string Refusing()
    {
        using var probe = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        // Bound but not listening, and closed again: connections to it are refused.
        probe.Bind(new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0));
        return $"http://127.0.0.1:{((System.Net.IPEndPoint)probe.LocalEndPoint!).Port}/v1";
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }
}
