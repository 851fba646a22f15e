using Gateway.Testing;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using ModelContextProtocol.Client;

namespace PythonTool.Tests;

/// <summary>The real server on a free port, with a clock that tests move, and a client of it.</summary>
internal sealed class PythonToolServer : IAsyncDisposable
{
    private readonly WebApplication _app;

    private PythonToolServer(string[] arguments) => _app = PythonToolApplication.Build(arguments, builder =>
    {
        builder.Services.AddSingleton<TimeProvider>(Time);
        builder.Logging.ClearProviders().AddProvider(Logs);
    });

    public FakeTimeProvider Time { get; } = new();

    public CollectedLogs Logs { get; } = new();

    public string Address { get; private set; } = "";

    public McpClient Client { get; private set; } = null!;

    /// <param name="settings">Keys of the section <c>PythonTool</c> with their values, such as <c>Sandboxes=2</c>.</param>
    public static async Task<PythonToolServer> StartAsync(params string[] settings)
    {
        var server = new PythonToolServer(["--PythonTool:Address=http://127.0.0.1:0", .. settings.Select(setting => "--PythonTool:" + setting)]);
        try
        {
            await PythonToolApplication.StartAsync(server._app);
            server.Address = PythonToolApplication.Address(server._app);
            server.Client = await PythonClient.ConnectAsync(server.Address, server._app.Configuration["PythonTool:Key"]);
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    public Task<PythonCall> RunAsync(string code, string? session = null, CancellationToken cancellationToken = default) =>
        Client.RunAsync(code, session, cancellationToken);

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        if (Client is not null)
        {
            await Client.DisposeAsync();
        }

        await _app.DisposeAsync();
    }
}
