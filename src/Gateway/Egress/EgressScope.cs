using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Gateway.Policy;

namespace Gateway.Egress;

/// <summary>The guard for one tenant, with that tenant's list of hosts and connections.</summary>
internal sealed class EgressScope : IDisposable
{
    /// <summary>Kilobytes of response headers.</summary>
    private const int MaxHeaderKilobytes = 32;

    /// <summary>The longest name of a host (RFC 1035, section 2.3.4, written out); the system throws when it is asked for a longer one.</summary>
    private const int MaxHostLength = 253;

    private readonly EgressGuard _guard;
    private readonly EffectivePolicy? _policy;
    private readonly EgressHandler _handler;

    /// <param name="guard">Whose scope it is.</param>
    /// <param name="policy">The tenant's policy; null for URLs from the operator's own configuration.</param>
    public EgressScope(EgressGuard guard, EffectivePolicy? policy)
    {
        _guard = guard;
        _policy = policy;
        _handler = new EgressHandler(this, guard.Limits) { InnerHandler = MakeHandler() };
    }

    /// <summary>The URLs are the operator's own.</summary>
    public bool IsOperator => _policy is null;

    /// <summary>
    /// Looks at a URL before anything is done with it, its addresses included, so that a request can be refused with the field that the URL
    /// came in. Connections are checked again on their own: this answer may be out of date by then.
    /// </summary>
    public async ValueTask<EgressRefusal?> CheckAsync(Uri url, CancellationToken cancellationToken) =>
        CheckUrl(url) ?? (await _guard.ResolveAsync(HostOf(url)!, url.Port, IsOperator, cancellationToken)).Refusal;

    /// <summary>
    /// A client whose every request, redirect and connection is checked, and whose responses have limits. It has no timeout but the one to
    /// connect; requests need a cancellation token. Disposing it leaves the connections to the next.
    /// </summary>
    /// <param name="first">A handler of the caller's that each request passes before it is checked.</param>
    /// <remarks>A refusal is thrown as <see cref="EgressRefusedException"/>; when connecting, wrapped: see <see cref="EgressRefusedException.Find"/>.</remarks>
    public HttpClient CreateClient(DelegatingHandler? first = null)
    {
        first?.InnerHandler = _handler;
        return new HttpClient((HttpMessageHandler?)first ?? _handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
    }

    public void Dispose() => _handler.Dispose();

    /// <summary>Everything that can be said of a URL without asking for its addresses.</summary>
    internal EgressRefusal? CheckUrl(Uri? url)
    {
        if (url is not { IsAbsoluteUri: true, Host.Length: > 0, Port: > 0 })
        {
            // A scheme without a host, such as data: or file:, is told as such.
            return Refuse(url is { IsAbsoluteUri: true } && !IsHttp(url) ? EgressRefusalKind.Scheme : EgressRefusalKind.InvalidUrl, url);
        }

        if (!IsHttp(url))
        {
            return Refuse(EgressRefusalKind.Scheme, url);
        }

        if (url.UserInfo.Length > 0)
        {
            return Refuse(EgressRefusalKind.UserInfo, url);
        }

        if (HostOf(url) is not { } host)
        {
            return Refuse(EgressRefusalKind.InvalidUrl, url);
        }

        return _policy is null || _policy.AllowsToolHost(host, url.Port) ? null : Refuse(EgressRefusalKind.HostNotListed, url);
    }

    internal EgressRefusal Refuse(EgressRefusalKind kind, Uri? url) => _guard.Refuse(kind, url is { IsAbsoluteUri: true } ? HostOf(url) ?? string.Empty : string.Empty);

    private static bool IsHttp(Uri url) => url.Scheme == Uri.UriSchemeHttp || url.Scheme == Uri.UriSchemeHttps;

    /// <summary>The host in the one form that rules are compared with: ASCII, lower case, no dot at the end. Null when it can be no host's name.</summary>
    private static string? HostOf(Uri url)
    {
        try
        {
            var host = url.IdnHost.TrimEnd('.').ToLowerInvariant();
            return host.Length <= MaxHostLength ? host : null;
        }
        catch (UriFormatException)
        {
            // Characters, or a mix of them, that names can not have: the parser of URLs lets them pass.
            return null;
        }
    }

    private SocketsHttpHandler MakeHandler() => new()
    {
        // A proxy would look the name up itself, behind the guard's back.
        UseProxy = false,
        UseCookies = false,
        // EgressHandler follows redirects, since each has to be checked.
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        ConnectTimeout = _guard.Limits.ConnectTimeout,
        MaxResponseHeadersLength = MaxHeaderKilobytes,
        PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        // Names are looked up, and checked, again for new connections only.
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxResponseDrainSize = 64 * 1024,
        ResponseDrainTimeout = TimeSpan.FromMilliseconds(200),
        // Trace ids are no business of servers that clients name.
        ActivityHeadersPropagator = DistributedContextPropagator.CreateNoOutputPropagator(),
        ConnectCallback = ConnectAsync,
    };

    /// <summary>
    /// Connects to the addresses that were checked, not to the name: whatever the name means a moment later has no effect.
    /// </summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var (host, port) = (context.DnsEndPoint.Host.TrimEnd('.').ToLowerInvariant(), context.DnsEndPoint.Port);
        var (addresses, refusal) = await _guard.ResolveAsync(host, port, IsOperator, cancellationToken);
        if (refusal is not null)
        {
            throw new EgressRefusedException(refusal);
        }

        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(addresses, port, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
