using System.Security.Cryptography;
using Gateway.Admin;
using Gateway.Egress;
using Gateway.Policy;
using Gateway.Responses;
using Gateway.Runs;
using Gateway.Store;
using Gateway.Store.Sealing;
using Gateway.Telemetry;
using Gateway.Tools;
using Gateway.Upstream;
using Gateway.Upstream.Probing;
using Microsoft.AspNetCore.Routing.Constraints;
using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

/// <summary>Puts the executable together: every feature's Add… and Map…, in the order a request meets them.</summary>
internal static class GatewayApplication
{
    /// <summary>Builds the gateway without starting it.</summary>
    /// <param name="args">The command line: configuration keys, such as <c>--urls</c> or <c>--Gateway:Store:Path</c>.</param>
    /// <param name="configure">Last changes, for tests: it runs after all features are added.</param>
    /// <exception cref="StartupException">The configuration names a file that does not exist.</exception>
    public static WebApplication Build(string[] args, Action<WebApplicationBuilder>? configure = null)
    {
        // Slim: no static files, IIS, hosting start-up assemblies or event source logging, none of which is used. What it leaves out and the
        // gateway needs is added: HTTPS and the regex constraint for an operator's own routes.
        var builder = WebApplication.CreateSlimBuilder(args);
        builder.Configuration.AddGatewayFiles(builder.Environment.ContentRootPath);
        builder.Services.Configure<RouteOptions>(routes => routes.SetParameterPolicy<RegexInlineRouteConstraint>("regex"));
        builder.AddGatewayServer();
        builder.AddGatewayHosting();
        builder.AddGatewayTelemetry();
        builder.AddGatewayPolicy();
        builder.AddGatewayStore();
        builder.AddGatewayUpstreams();
        builder.AddGatewayEgress();
        builder.AddGatewayTools();
        builder.AddGatewayResponses();
        builder.AddGatewayRuns();
        builder.AddGatewayAdmin();
        AddKnownSections(builder.Services);
        // Upstream does not know Policy: here the stateless routes and the list of models are held to the tenant's models, and to the limit of
        // what is made at once, told whose they are, and how long a client may take nothing.
        builder.Services.AddSingleton<PassthroughModelFilter>((context, model) => TenantDirectory.CheckModel(context.GetTenant(), model));
        builder.Services.AddSingleton<PassthroughTenant>(context => context.GetTenant().Name);
        builder.Services.AddSingleton(services => new PassthroughStall(services.GetRequiredService<IOptions<LimitsOptions>>().Value.ClientStall));
        builder.Services.AddSingleton<PassthroughLimit>(services =>
        {
            var limiter = services.GetRequiredService<OpenStreamLimiter>();
            return (HttpContext context, out IDisposable? place) => limiter.TryEnter(context.GetTenant(), out place);
        });
        configure?.Invoke(builder);

        var app = builder.Build();
        app.UseMiddleware<RequestIdMiddleware>();
        app.UseGatewayErrors();
        app.UseMiddleware<DrainMiddleware>();
        app.UseGatewayAdminPort();
        app.UseGatewayTenants();
        app.UseGatewayAccounts();
        app.MapGatewayHealth();
        app.MapGatewayTelemetry();
        app.MapGatewayResponses();
        app.MapGatewayUpstreams();
        app.MapGatewayAdmin();
        return app;
    }

    /// <summary>Builds and runs the gateway until it is told to stop.</summary>
    /// <returns>The exit code: 0, or 1 when it could not start, with the reason on standard error.</returns>
    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            CheckArguments(args);
            await using var app = Build(args);
            // The host would do it too, but log the failure with a stack trace that says nothing to an operator.
            app.Services.GetService<IStartupValidator>()?.Validate();
            await app.RunAsync();
            return 0;
        }
        catch (Exception e) when (OperatorMessages(e) is { Count: > 0 })
        {
            await Console.Error.WriteLineAsync($"The gateway can not start:{Environment.NewLine}  {string.Join(Environment.NewLine + "  ", OperatorMessages(e))}");
            return 1;
        }
    }

    /// <summary>The command line is settings. What is none would have no effect: a verb with a typing error must not start a server.</summary>
    /// <exception cref="StartupException">An argument is no setting.</exception>
    private static void CheckArguments(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            var isKey = args[i].StartsWith("--", StringComparison.Ordinal) || args[i].StartsWith('/');
            if (!args[i].Contains('=', StringComparison.Ordinal) && (!isKey || ++i == args.Length))
            {
                throw new StartupException(
                    $"'{args[Math.Min(i, args.Length - 1)]}' is no setting. Settings are --KEY=VALUE or --KEY VALUE, such as --config FILE or --urls URL; "
                    + "for the one verb see gateway check --help.");
            }
        }
    }

    /// <summary>The sections of features that Hosting itself does not know, in the order in which the documentation tells them.</summary>
    private static void AddKnownSections(IServiceCollection services)
    {
        services.AddKnownSection("Upstreams", typeof(Dictionary<string, UpstreamOptions>));
        services.AddKnownSection("Routing", typeof(RoutingOptions));
        services.AddKnownSection("Discovery", typeof(DiscoveryOptions));
        services.AddKnownSection("Probing", typeof(ProbingOptions));
        services.AddKnownSection("Passthrough", typeof(PassthroughOptions));
        services.AddKnownSection("Store", typeof(StoreOptions));
        services.AddKnownSection("Runs", typeof(RunOptions));
        services.AddKnownSection("Secrets", typeof(SecretsOptions));
        services.AddKnownSection("Tools", typeof(ToolsOptions));
        services.AddKnownSection("Tools", typeof(EgressOptions));
    }

    /// <summary>What an operator can do something about; empty for everything else, which is a bug and ends with its stack trace.</summary>
    private static IReadOnlyList<string> OperatorMessages(Exception exception) => exception switch
    {
        OptionsValidationException e => [.. e.Failures],
        AggregateException e when e.InnerExceptions.All(inner => OperatorMessages(inner).Count > 0) => [.. e.InnerExceptions.SelectMany(OperatorMessages)],
        InvalidDataException { InnerException: FormatException reason } => [$"{exception.Message} {SettingsFile.Reason(reason)}"],
        // An address that is none, https without a certificate, a certificate with another password.
        FormatException { Source: "Microsoft.AspNetCore.Http" } or InvalidOperationException { Source: "Microsoft.AspNetCore.Server.Kestrel.Core" } or CryptographicException =>
            [exception.Message],
        // An address in use, a file that can not be read.
        // Or a store that can not be opened: its folder is in use, or a newer version has it.
        StartupException or InvalidDataException or IOException or StoreUnavailableException => [exception.Message],
        // A value that is not of the option's type. The message names key and value.
        InvalidOperationException { Source: "Microsoft.Extensions.Configuration.Binder" } => [exception.Message],
        _ => [],
    };
}
