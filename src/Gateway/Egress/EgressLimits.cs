namespace Gateway.Egress;

/// <summary>What a server that a request names may cost.</summary>
internal sealed class EgressLimits
{
    /// <summary>To find the address, connect and agree on TLS.</summary>
    /// <value>0.1 seconds to 1 minute</value>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The most redirects of one request, each checked like the first URL.</summary>
    /// <value>0 to 20</value>
    public int MaxRedirects { get; set; } = 3;

    /// <summary>The longest body of a response that is no event stream.</summary>
    /// <value>1,024 to 1 GiB</value>
    public int ResponseBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>
    /// The longest event of an event stream. A stream as a whole has no limit, since one may live as long as a session.
    /// </summary>
    /// <value>1,024 to 1 GiB</value>
    public int EventBytes { get; set; } = 16 * 1024 * 1024;
}
