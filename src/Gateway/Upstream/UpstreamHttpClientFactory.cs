using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using Gateway.Upstream.Demo;
using Yarp.ReverseProxy.Forwarder;

namespace Gateway.Upstream;

/// <summary>Makes the HTTP client of each cluster: YARP's own (no proxy, cookies, redirects or decompression), with our limits and trust.</summary>
internal sealed class UpstreamHttpClientFactory(ILogger<ForwarderHttpClientFactory> logger, TimeProvider time) : ForwarderHttpClientFactory(logger)
{
    protected override bool CanReuseOldClient(ForwarderHttpClientContext context)
    {
        return base.CanReuseOldClient(context) && Same(UpstreamProxyConfigProvider.ConnectTimeoutKey)
            && Same(UpstreamProxyConfigProvider.CaFileKey) && Same(UpstreamProxyConfigProvider.DemoKey);

        bool Same(string key) => string.Equals(Read(context.OldMetadata, key), Read(context.NewMetadata, key), StringComparison.Ordinal);
    }

    protected override void ConfigureHandler(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        base.ConfigureHandler(context, handler);
        ConfigureOurs(context, handler);
    }

    protected override HttpMessageHandler WrapHandler(ForwarderHttpClientContext context, HttpMessageHandler handler)
    {
        if (Read(context.NewMetadata, UpstreamProxyConfigProvider.DemoKey) is not null)
        {
            handler.Dispose();
            return new DemoHandler(time);
        }

        return base.WrapHandler(context, new FreshConnectionHandler((SocketsHttpHandler)handler, () => MakeFresh(context)));
    }

    /// <summary>The same client without any connection kept alive, for the retry after a kept one turned out to be dead.</summary>
    private SocketsHttpHandler MakeFresh(ForwarderHttpClientContext context)
    {
        var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            UseCookies = false,
            AllowAutoRedirect = false,
            AutomaticDecompression = System.Net.DecompressionMethods.None,
            ActivityHeadersPropagator = System.Diagnostics.DistributedContextPropagator.Current,
        };
        ConfigureHandler(context, handler);
        handler.PooledConnectionLifetime = TimeSpan.Zero;
        return handler;
    }

    private static void ConfigureOurs(ForwarderHttpClientContext context, SocketsHttpHandler handler)
    {
        handler.EnableMultipleHttp2Connections = true;
        handler.PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1);
        // Names are looked up again for new connections only.
        handler.PooledConnectionLifetime = TimeSpan.FromMinutes(5);
        // After the end of a stream there is little left to read. A stream that was given up must stop the server's work soon.
        handler.MaxResponseDrainSize = 64 * 1024;
        handler.ResponseDrainTimeout = TimeSpan.FromMilliseconds(200);
        // As they came from the client: in ASCII alone, which is the default, the request could not be sent, and that would look like a dead server.
        handler.RequestHeaderEncodingSelector = static (_, _) => Encoding.UTF8;
        if (Read(context.NewMetadata, UpstreamProxyConfigProvider.ConnectTimeoutKey) is { } timeout)
        {
            handler.ConnectTimeout = TimeSpan.ParseExact(timeout, "c", CultureInfo.InvariantCulture);
        }

        if (Read(context.NewMetadata, UpstreamProxyConfigProvider.CaFileKey) is { } caFile)
        {
            var policy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            policy.CustomTrustStore.ImportFromPemFile(caFile);
            handler.SslOptions.CertificateChainPolicy = policy;
        }
    }

    private static string? Read(IReadOnlyDictionary<string, string>? metadata, string key) => metadata?.GetValueOrDefault(key);
}
