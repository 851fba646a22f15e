using System.Net;
using Gateway.Policy;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;

namespace Gateway.Hosting;

/// <summary>Addresses and limits of the HTTP server.</summary>
internal static class ServerSetup
{
    public const string DefaultAddress = "http://127.0.0.1:8080";

    private const int HeaderBytes = 32 * 1024;
    private const int HeaderCount = 100;

    public static void AddGatewayServer(this WebApplicationBuilder builder)
    {
        builder.WebHost.UseKestrelHttpsConfiguration();
        if (!HasAddress(builder.Configuration))
        {
            // Here and not in appsettings.json, where it would win over ASPNETCORE_URLS.
            builder.WebHost.UseUrls(DefaultAddress);
        }

        AddAdminAddress(builder);

        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<LimitsOptions>, IOptions<AccessOptions>, TenantDirectory>(Configure);
    }

    /// <summary>
    /// Design rule "fail closed": without keys only this machine may be served. Asked for each endpoint before it is bound, wherever it was
    /// configured (URLs, ports, Kestrel's section, code).
    /// </summary>
    /// <exception cref="StartupException">The endpoint would be open to others.</exception>
    internal static void CheckEndpoint(EndPoint endpoint, bool requiresKey, bool allowAnonymous)
    {
        // A Unix socket or an inherited handle is guarded by the system's own permissions.
        if (requiresKey || allowAnonymous || endpoint is not IPEndPoint ip || IPAddress.IsLoopback(ip.Address))
        {
            return;
        }

        throw new StartupException(
            $"No API keys are configured, so that the gateway serves this machine only, but it was told to listen on {ip}. Configure keys " +
            "(Gateway:Tenants:<tenant>:Keys:0), listen on 127.0.0.1, or set Gateway:AllowAnonymous=true to serve everyone who can reach the address.");
    }

    private static bool HasAddress(ConfigurationManager configuration) =>
        !string.IsNullOrEmpty(configuration[WebHostDefaults.ServerUrlsKey])
        || !string.IsNullOrEmpty(configuration[WebHostDefaults.HttpPortsKey])
        || !string.IsNullOrEmpty(configuration[WebHostDefaults.HttpsPortsKey])
        || configuration.GetSection("Kestrel:Endpoints").GetChildren().Any();

    /// <summary>
    /// The administrators' own port, beside the other addresses: in Kestrel's section when that is where they are, else among the URLs. An
    /// address in code would put both out of force.
    /// </summary>
    private static void AddAdminAddress(WebApplicationBuilder builder)
    {
        var configuration = builder.Configuration;
        var admin = configuration.GetSection($"{AccessOptions.Section}:{nameof(AccessOptions.Admin)}").Get<AdminOptions>();
        // A wrong value is told by the validation of the options.
        if (admin is not { Port: > 0 and <= IPEndPoint.MaxPort } || !IPAddress.TryParse(admin.Address, out var ip))
        {
            return;
        }

        var address = $"http://{new IPEndPoint(ip, admin.Port.Value)}";
        if (configuration.GetSection("Kestrel:Endpoints").GetChildren().Any())
        {
            // Endpoints go by name: with this one the gateway's own address stays the first.
            configuration["Kestrel:Endpoints:~GatewayAdmin:Url"] = address;
            return;
        }

        var urls = configuration[WebHostDefaults.ServerUrlsKey];
        if (string.IsNullOrEmpty(urls))
        {
            urls = string.Join(';', Ports(WebHostDefaults.HttpPortsKey, "http").Concat(Ports(WebHostDefaults.HttpsPortsKey, "https")));
        }

        builder.WebHost.UseUrls($"{urls};{address}");

        IEnumerable<string> Ports(string key, string scheme) =>
            (configuration[key] ?? "").Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(port => $"{scheme}://*:{port}");
    }

    private static void Configure(KestrelServerOptions server, IOptions<LimitsOptions> limits, IOptions<AccessOptions> access, TenantDirectory tenants)
    {
        server.AddServerHeader = false;
        server.Limits.MaxRequestBodySize = limits.Value.RequestBodyBytes;
        server.Limits.MaxRequestHeadersTotalSize = HeaderBytes;
        server.Limits.MaxRequestHeaderCount = HeaderCount;
        // A stream's pace is the model's, and backpressure lets a slow reader be slow. The least rate of request bodies stays as it is:
        // nobody may hold a connection by sending a byte now and then.
        server.Limits.MinResponseDataRate = null;
        server.ConfigureEndpointDefaults(listen => CheckEndpoint(listen.EndPoint, tenants.RequiresKey, access.Value.AllowAnonymous));
    }
}
