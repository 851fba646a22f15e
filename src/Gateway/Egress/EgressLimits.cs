namespace Gateway.Egress;

/// <summary>What a server that a client named may cost: <c>Gateway:Tools:Egress</c>.</summary>
internal sealed class EgressLimits
{
    /// <summary>To find the address, connect and agree on TLS. 0.1 to 60 seconds; default 5 seconds.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The most redirects of one request. 0 to 20; default 3.</summary>
    public int MaxRedirects { get; set; } = 3;

    /// <summary>The longest body of a response that is no event stream, in bytes. 1,024 to 1 GiB; default 16 MiB.</summary>
    public int ResponseBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// The longest event of an event stream, in bytes. A stream as a whole has no limit, since one may live as long as a session.
    /// 1,024 to 1 GiB; default 16 MiB.
    /// </summary>
    public int EventBytes { get; set; } = 16 * 1024 * 1024;
}
