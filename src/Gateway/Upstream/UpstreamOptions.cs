namespace Gateway.Upstream;

/// <summary>One model server, or several equal ones, under <c>Gateway:Upstreams:&lt;name&gt;</c>.</summary>
internal sealed class UpstreamOptions
{
    /// <summary>The base URL of an OpenAI-compatible server, usually ending in <c>/v1</c>. Default: none.</summary>
    public string? Address { get; set; }

    /// <summary>Base URLs of equal servers that share the load, beside or instead of <see cref="Address"/>. Default: none.</summary>
    public IList<string> Addresses { get; } = [];

    /// <summary>The key sent as <c>Authorization: Bearer</c>. Default: none.</summary>
    public string? ApiKey { get; set; }

    /// <summary>A file with that key, read again every discovery round so that it may be rotated. Default: none.</summary>
    public string? ApiKeyFile { get; set; }

    /// <summary>Further headers sent with every request. Default: none.</summary>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>A PEM file of the only authorities that may have signed the server's certificate. Default: the system's.</summary>
    public string? CaFile { get; set; }

    /// <summary>Names, globs (<c>*</c>, <c>?</c>) or <c>alias=upstream-name</c>. Default: discovered from the server's <c>/models</c>.</summary>
    public IList<string> Models { get; } = [];

    /// <summary>What kind of server it is: a profile's name, or <c>auto</c>. Default: <c>auto</c>.</summary>
    public string? Profile { get; set; } = ProfileTable.Auto;

    /// <summary>Single profile keys that differ from the profile's. Default: none.</summary>
    public IConfigurationSection? ProfileOptions { get; set; }

    /// <summary>The longest wait for a connection. Default: 5 seconds.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>The longest wait for the first meaningful chunk, or for the whole answer when it is not streamed. Default: 10 minutes.</summary>
    public TimeSpan FirstByteTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The longest silence between chunks. Default: 2 minutes.</summary>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Of several upstreams that serve a model, those with the lowest number get its requests; the next only when all of their destinations are
    /// out, full, or have failed the request. Default: 0.
    /// </summary>
    public int Priority { get; set; }

    /// <summary>Share of the load of each of its destinations among those of equal priority, 1 to 1000. Default: 1.</summary>
    public int Weight { get; set; } = 1;

    /// <summary>The most requests at once of this replica of the gateway at each destination, at least 1. Default: any number.</summary>
    public int? MaxConcurrentRequests { get; set; }

    /// <summary>The most requests that wait while every destination has as many as it may, 0 to 100000. Default: 100.</summary>
    public int MaxQueued { get; set; } = 100;

    /// <summary>The longest wait for a place. Default: 30 seconds.</summary>
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How the destinations are asked whether they are alive.</summary>
    public HealthOptions Health { get; set; } = new();
}

/// <summary>
/// Every destination is asked by GET, with the upstream's credentials, whether it is alive. Three failures in a row take it out, one answer brings it
/// back. Every answer but a 5xx is one: a server that wants another path or key still works.
/// </summary>
internal sealed class HealthOptions
{
    /// <summary>
    /// What is asked for: below the base URL, or from the server's root when it begins with a slash, such as <c>/health</c>. Empty asks nothing.
    /// Default: <c>models</c>.
    /// </summary>
    public string? Path { get; set; } = "models";

    /// <summary>Time between two questions. Default: 10 seconds.</summary>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest wait for an answer. Default: 5 seconds.</summary>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);
}
