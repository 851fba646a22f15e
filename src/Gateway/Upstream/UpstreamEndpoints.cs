using System.Text;
using Gateway.Telemetry;
using Gateway.Upstream.Probing;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;
using Yarp.ReverseProxy.ServiceDiscovery;

namespace Gateway.Upstream;

/// <summary>Puts the upstream side together.</summary>
internal static class UpstreamEndpoints
{
    /// <summary>Where the stateless routes and the models are, in both dialects.</summary>
    public static readonly string[] Prefixes = ["/v1", "/inference/v1"];

    public static IHostApplicationBuilder AddGatewayUpstreams(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.TryAddSingleton(TimeProvider.System);
        services.AddOptions<DiscoveryOptions>().BindConfiguration(DiscoveryOptions.Section).ValidateOnStart();
        services.AddOptions<RoutingOptions>().BindConfiguration(RoutingOptions.Section).ValidateOnStart();
        services.AddOptions<PassthroughOptions>().BindConfiguration(PassthroughOptions.Section).ValidateOnStart();
        services.AddOptions<ProbingOptions>().BindConfiguration(ProbingOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ProbingOptions>, ProbingOptionsValidator>();
        services.AddSingleton<IValidateOptions<DiscoveryOptions>, DiscoveryOptionsValidator>();
        services.AddSingleton<IValidateOptions<RoutingOptions>, RoutingOptionsValidator>();
        services.AddSingleton<IValidateOptions<PassthroughOptions>, PassthroughOptionsValidator>();

        services.AddSingleton<UpstreamRegistry>();
        services.AddSingleton<RouteTable>();
        services.AddSingleton<DestinationPicker>();
        services.AddSingleton<IClusterChangeListener>(static provider => provider.GetRequiredService<DestinationPicker>());
        // Behind the picker, which must know a cluster before the table shows it.
        services.AddSingleton<IClusterChangeListener>(static provider => provider.GetRequiredService<RouteTable>());
        services.AddSingleton<PlaceQueue>();
        services.AddSingleton<HealthProbes>();
        services.AddSingleton<IActiveHealthCheckPolicy>(static provider => provider.GetRequiredService<HealthProbes>());
        services.AddSingleton<IProbingRequestFactory>(static provider => provider.GetRequiredService<HealthProbes>());
        services.AddSingleton<IAvailableDestinationsPolicy, AnsweringDestinations>();
        services.AddSingleton<UpstreamMetrics>();
        services.AddSingleton<ChatClient>();
        services.AddSingleton<TokenizerClient>();
        services.AddSingleton<Passthrough>();
        services.AddHostedService<ModelDiscovery>();
        services.AddHostedService<UpstreamProber>();
        services.AddSingleton<IStartupLine, UpstreamLine>();
        services.AddSingleton<IReadinessPart, UpstreamReadiness>();

        services.TryAddSingleton<UpstreamDestinationResolver.Lookup>(UpstreamDestinationResolver.AskSystemAsync);
        services.AddSingleton<IDestinationResolver, UpstreamDestinationResolver>();
        services.AddSingleton<IForwarderHttpClientFactory, UpstreamHttpClientFactory>();
        services.AddSingleton<IProxyConfigProvider, UpstreamProxyConfigProvider>();
        // As the client of the upstreams reads them: headers pass through byte for byte, those outside ASCII too.
        services.Configure<KestrelServerOptions>(static server => server.ResponseHeaderEncodingSelector = static _ => Encoding.Latin1);
        services.AddReverseProxy().LoadFromConfig(builder.Configuration.GetSection("ReverseProxy"));
        return builder;
    }

    /// <summary>The stateless routes, the models, and the operator's own YARP routes.</summary>
    /// <exception cref="OptionsValidationException">The configuration of the upstreams is wrong.</exception>
    public static WebApplication MapGatewayUpstreams(this WebApplication app)
    {
        app.MapGatewayPassthrough();
        app.MapGatewayModels();
        // Always, even without routes of its own: it is what loads the clusters.
        app.MapReverseProxy();
        app.Services.GetRequiredService<DestinationPicker>().Start();
        return app;
    }
}
