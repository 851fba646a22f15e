namespace Gateway.Upstream;

/// <summary>
/// One model server, or several equal ones; <see href="upstreams.md">docs/upstreams.md</see> tells what suits which server. With none configured
/// the built-in model <c>demo</c> answers.
/// </summary>
/// <remarks>Live.</remarks>
internal sealed class UpstreamOptions
{
    /// <summary>The base URL of an OpenAI-compatible server, usually ending in <c>/v1</c>. A DNS name with several addresses counts as several servers.</summary>
    /// <value>Default: required unless <see cref="Addresses"/> has one</value>
    public string? Address { get; set; }

    /// <summary>Base URLs of equal servers that share the load, beside or instead of <see cref="Address"/>.</summary>
    /// <value>Default: none</value>
    public IList<string> Addresses { get; } = [];

    /// <summary>The key sent as <c>Authorization: Bearer</c>.</summary>
    /// <value>Default: none</value>
    public string? ApiKey { get; set; }

    /// <summary>A file with that key, read again every discovery round so that it may be rotated.</summary>
    /// <value>Default: none</value>
    public string? ApiKeyFile { get; set; }

    /// <summary>A further header sent with every request.</summary>
    /// <value>Default: none</value>
    public IDictionary<string, string> Headers { get; } = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);

    /// <summary>A PEM file of the only authorities that may have signed the server's certificate.</summary>
    /// <value>Default: the system's</value>
    public string? CaFile { get; set; }

    /// <summary>What it serves: names, globs (<c>*</c>, <c>?</c>) or <c>alias=upstream-name</c>.</summary>
    /// <value>Default: asked from its <c>/models</c></value>
    public IList<string> Models { get; } = [];

    /// <summary>What kind of server it is: a profile's name, or <c>auto</c>, which finds it out.</summary>
    public string? Profile { get; set; } = ProfileTable.Auto;

    /// <summary>A single key that differs from the profile's, such as <c>context_window</c> (tokens), <c>tokenizer</c>, <c>cuts_silently</c>.</summary>
    /// <value>Default: none</value>
    public IConfigurationSection? ProfileOptions { get; set; }

    /// <summary>The longest wait for a connection.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>
    /// The longest wait for the first meaningful chunk, or for the whole answer when it is not streamed; for each attempt, and after a silent one
    /// at most one more is made.
    /// </summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan FirstByteTimeout { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>The longest silence between chunks.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan IdleTimeout { get; set; } = TimeSpan.FromMinutes(2);

    /// <summary>
    /// Of several upstreams that serve a model, those with the lowest number get its requests; the next only when all of their destinations are
    /// out, full, or have failed the request.
    /// </summary>
    public int Priority { get; set; }

    /// <summary>Share of the load of each of its destinations among those of equal priority.</summary>
    /// <value>1 to 1,000</value>
    public int Weight { get; set; } = 1;

    /// <summary>The most requests at once of this replica of the gateway at each destination.</summary>
    /// <value>At least 1. Default: none: any number</value>
    public int? MaxConcurrentRequests { get; set; }

    /// <summary>The most requests that wait while every destination has as many as it may; more are told 503 <c>upstream_overloaded</c>.</summary>
    /// <value>0 to 100,000</value>
    public int MaxQueued { get; set; } = 100;

    /// <summary>The longest wait for a place; then 503 <c>upstream_overloaded</c>.</summary>
    /// <value>More than 0 to 1 day</value>
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
    /// </summary>
    public string? Path { get; set; } = "models";

    /// <summary>Time between two questions.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Interval { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The longest wait for an answer.</summary>
    /// <value>More than 0 to 1 day</value>
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(5);
}
