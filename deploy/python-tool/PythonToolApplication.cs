using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace PythonTool;

/// <summary>Puts the server together.</summary>
internal static class PythonToolApplication
{
    /// <summary>Builds the server without starting it.</summary>
    /// <param name="args">The command line: configuration keys, such as <c>--PythonTool:Address</c>.</param>
    /// <param name="configure">Last changes, for tests.</param>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        // Empty: no settings but our own can open an address or lower a log level, at which the MCP library would log messages whole.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { Args = args });
        builder.Configuration
            .AddJsonFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true)
            .AddEnvironmentVariables()
            .AddCommandLine(args);
        builder.Logging.AddSimpleConsole(console => console.SingleLine = true)
            .SetMinimumLevel(LogLevel.Warning)
            .AddFilter(nameof(PythonTool), LogLevel.Information);
        builder.Services.AddOptions<PythonToolOptions>()
            .BindConfiguration(PythonToolOptions.Section, binder => binder.ErrorOnUnknownConfiguration = true)
            .ValidateOnStart();
        builder.Services.AddSingleton<IValidateOptions<PythonToolOptions>, PythonToolOptionsValidator>();
        builder.Services.TryAddSingleton(TimeProvider.System);
        builder.Services.AddSingleton<ProcessStarter>();
        builder.Services.AddSingleton<SandboxPool>();
        builder.Services.AddSingleton<PythonMcpTool>();
        builder.Services.AddRoutingCore();
        builder.Services.AddMcpServer(server => server.ServerInfo = new() { Name = "python-tool", Version = Version })
            .WithHttpTransport(transport => transport.Stateless = true)
            .WithListToolsHandler((request, _) => ValueTask.FromResult(Tool(request.Services).List()))
            .WithCallToolHandler(async (request, cancellationToken) => await Tool(request.Services).CallAsync(request.Params, cancellationToken));
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(10));
        builder.WebHost.UseKestrelCore().ConfigureKestrel((_, kestrel) =>
        {
            var options = kestrel.ApplicationServices.GetRequiredService<IOptions<PythonToolOptions>>().Value;
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxConcurrentConnections = 1024;
            kestrel.Limits.MaxRequestBodySize = (6L * options.CodeBytes) + 65_536; // a byte of code is at most six characters of JSON
        });
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseMiddleware<BearerKeyMiddleware>();
        app.UseRouting();
        app.MapGet("/health", () => "ok");
        app.MapMcp("/mcp");
        return app;
    }

    /// <summary>Checks the configuration and the sandbox, and begins to serve.</summary>
    /// <exception cref="StartupException">A sandbox can not be made here, or its walls do not stand.</exception>
    /// <exception cref="OptionsValidationException">The configuration is not valid.</exception>
    public static async Task StartAsync(WebApplication app)
    {
        var options = app.Services.GetRequiredService<IOptions<PythonToolOptions>>().Value;
        await SelfCheck.RunAsync(app.Services.GetRequiredService<ProcessStarter>(), options, CancellationToken.None);
        app.Urls.Add(options.Address);
        // Before the server waits for its requests: calls that run end at once, with a result.
        var pool = app.Services.GetRequiredService<SandboxPool>();
        app.Lifetime.ApplicationStopping.Register(() => pool.StopAsync().GetAwaiter().GetResult());
        await app.StartAsync();
        app.Services.GetRequiredService<ILogger<SandboxPool>>().Serving(Address(app), options.Sandboxes);
    }

    /// <summary>The address that is served, with the port when the system chose it.</summary>
    public static string Address(WebApplication app) =>
        app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();

    /// <summary>Builds and runs the server until it is told to stop.</summary>
    /// <returns>The exit code: 0, or 1 when it could not start, with the reason on standard error.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            await using var app = Build(args);
            await StartAsync(app);
            await app.WaitForShutdownAsync();
            return 0;
        }
        catch (Exception e) when (OperatorMessage(e) is not null)
        {
            await Console.Error.WriteLineAsync($"The Python tool can not start:{Environment.NewLine}  {OperatorMessage(e)}");
            return 1;
        }
    }

    private static string Version => typeof(PythonToolApplication).Assembly.GetName().Version!.ToString(3);

    private static PythonMcpTool Tool(IServiceProvider? services) => services!.GetRequiredService<PythonMcpTool>();

    /// <summary>What an operator can do something about; null for everything else, which is a bug and ends with its stack trace.</summary>
    private static string? OperatorMessage(Exception failure) => failure switch
    {
        OptionsValidationException invalid => string.Join(Environment.NewLine + "  ", invalid.Failures),
        StartupException or IOException => failure.Message,
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => failure.Message,
        FormatException => failure.Message,
        _ => null,
    };
}
