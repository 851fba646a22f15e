namespace Gateway.Policy;

/// <summary>
/// What may be asked for: <c>Gateway:Policy</c> for everyone, <c>Gateway:Tenants:&lt;tenant&gt;:Policy</c> for one tenant. The tenant's value
/// wins key by key; a key that neither has takes the default told here.
/// </summary>
internal sealed class PolicyOptions
{
    /// <summary>Whether responses may be kept. Default <see cref="StorePolicy.Allow"/>.</summary>
    public StorePolicy? Store { get; set; }

    /// <summary>How long what is stored is kept. Default <c>Gateway:Store:Retention</c> for everything.</summary>
    public RetentionOptions Retention { get; set; } = new();

    /// <summary>
    /// Refuse members of a request that the API does not know with 400 <c>unknown_parameter</c>. Default false: they are ignored, since stock
    /// clients send members of their own.
    /// </summary>
    public bool? StrictParameters { get; set; }

    /// <summary>
    /// The most calls to server-run tools in one response, whatever the request's <c>max_tool_calls</c> says. 1 to 10,000; default 128.
    /// </summary>
    public int? MaxToolCalls { get; set; }

    /// <summary>What a request without <c>max_tool_calls</c> gets. 1 to <see cref="MaxToolCalls"/>; default 32, or that ceiling if it is lower.</summary>
    public int? DefaultMaxToolCalls { get; set; }

    /// <summary>
    /// The models that may be used, by the names clients use, <c>*</c> standing for any text. Empty or absent: the value of
    /// <c>Gateway:Policy</c>, or else every model. A model that is not allowed is answered like one that does not exist.
    /// </summary>
    public IReadOnlyList<string>? Models { get; set; }

    /// <summary>
    /// The most responses being made at once for a tenant on one replica; more are told 429 <c>rate_limit_exceeded</c>. At least 1; default:
    /// no limit but <c>Gateway:Limits:OpenStreams</c>.
    /// </summary>
    public int? OpenStreams { get; set; }

    /// <summary>
    /// The most durable runs of a tenant on all replicas, running and waiting: a background response that would have to wait beyond it is told
    /// 429 <c>rate_limit_exceeded</c>. At least 1; default a quarter of <c>Gateway:Runs:Queue</c>.
    /// </summary>
    public int? QueuedRuns { get; set; }

    /// <summary>
    /// The most clients of a tenant that follow runs as streams on one replica; more are told 429 <c>rate_limit_exceeded</c>. At least 1; default
    /// half of <c>Gateway:Runs:Followers</c>.
    /// </summary>
    public int? Followers { get; set; }

    /// <summary>
    /// The only hosts whose URLs a request may name, for tools and for images: a name, <c>*.name</c> for every name below it, an address or a
    /// range; each with <c>:port</c> or for every port. Empty or absent: the value of <c>Gateway:Policy</c>, or else every public host.
    /// </summary>
    public IReadOnlyList<string>? ToolHosts { get; set; }
}
