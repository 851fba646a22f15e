namespace Gateway.FunctionalTests.Runs;

/// <summary>A load balancer in the client: each request goes to the next of the replicas that there are.</summary>
internal sealed class RoundRobinHandler(Func<IReadOnlyList<Uri>> replicas) : DelegatingHandler(new SocketsHttpHandler())
{
    private int _next = -1;

    protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var all = replicas();
        request.RequestUri = new Uri(all[(int)((uint)Interlocked.Increment(ref _next) % all.Count)], request.RequestUri!.PathAndQuery);
        return base.SendAsync(request, cancellationToken);
    }
}
