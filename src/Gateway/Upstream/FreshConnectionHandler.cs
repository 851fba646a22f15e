namespace Gateway.Upstream;

/// <summary>
/// Sends with kept-alive connections, unless the request asks for a fresh one. A pool of dead connections (the server was restarted) hands out
/// the next dead one on a retry, and SocketsHttpHandler has no other way to ask for a new one.
/// </summary>
internal sealed class FreshConnectionHandler(SocketsHttpHandler kept, Func<SocketsHttpHandler> makeFresh) : HttpMessageHandler
{
    private readonly HttpMessageInvoker _kept = new(kept);
    private readonly Lazy<HttpMessageInvoker> _fresh = new(() => new HttpMessageInvoker(makeFresh()));

    /// <summary>Set to true on a request that must not go over a kept-alive connection.</summary>
    public static HttpRequestOptionsKey<bool> FreshConnection { get; } = new("Gateway.FreshConnection");

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) =>
        (request.Options.TryGetValue(FreshConnection, out var fresh) && fresh ? _fresh.Value : _kept).SendAsync(request, cancellationToken);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _kept.Dispose();
            if (_fresh.IsValueCreated)
            {
                _fresh.Value.Dispose();
            }
        }

        base.Dispose(disposing);
    }
}
