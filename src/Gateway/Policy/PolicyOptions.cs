namespace Gateway.Policy;

/// <summary>
/// What may be asked for: <c>Gateway:Policy</c> for everyone, <c>Gateway:Tenants:&lt;tenant&gt;:Policy</c> for one tenant. The tenant's value
/// wins key by key; a key that neither has takes the default told here.
/// </summary>
/// <remarks>Live.</remarks>
internal sealed class PolicyOptions
{
    /// <summary>
    /// Whether responses may be kept. <see cref="StorePolicy.Allow"/>: the request decides. <see cref="StorePolicy.Never"/>: nothing is kept.
    /// </summary>
    /// <value>Default: <see cref="StorePolicy.Allow"/></value>
    public StorePolicy? Store { get; set; }

    /// <summary>How long what is stored is kept.</summary>
    public RetentionOptions Retention { get; set; } = new();

    /// <summary>
    /// Refuse members of a request that the API does not know with 400 <c>unknown_parameter</c>. Otherwise they are ignored, since stock
    /// clients send members of their own.
    /// </summary>
    /// <value>Default: <c>false</c></value>
    public bool? StrictParameters { get; set; }

    /// <summary>
    /// The most calls to server-run tools in one response, whatever the request's <c>max_tool_calls</c> says.
    /// </summary>
    /// <value>1 to 10,000. Default: <c>128</c></value>
    public int? MaxToolCalls { get; set; }

    /// <summary>What a request without <c>max_tool_calls</c> gets.</summary>
    /// <value>1 to 10,000, at most <see cref="MaxToolCalls"/>. Default: <c>32</c>, or that ceiling if it is lower</value>
    public int? DefaultMaxToolCalls { get; set; }

    /// <summary>
    /// The models that may be used, by the names clients use, <c>*</c> standing for any text. A model that is not allowed is answered like one
    /// that does not exist. Empty is as absent.
    /// </summary>
    /// <value>Default: none: every model</value>
    public IReadOnlyList<string>? Models { get; set; }

    /// <summary>
    /// The most responses being made at once for a tenant on one replica; more are told 429 <c>rate_limit_exceeded</c>.
    /// </summary>
    /// <value>At least 1. Default: none: no limit but <c>Gateway:Limits:OpenStreams</c></value>
    public int? OpenStreams { get; set; }

    /// <summary>
    /// The most durable runs of a tenant on all replicas, running and waiting: a background response that would have to wait beyond it is told
    /// 429 <c>rate_limit_exceeded</c>.
    /// </summary>
    /// <value>At least 1. Default: a quarter of <c>Gateway:Runs:Queue</c></value>
    public int? QueuedRuns { get; set; }

    /// <summary>
    /// The most clients of a tenant that follow runs as streams on one replica; more are told 429 <c>rate_limit_exceeded</c>.
    /// </summary>
    /// <value>At least 1. Default: half of <c>Gateway:Runs:Followers</c></value>
    public int? Followers { get; set; }

    /// <summary>
    /// The only hosts whose URLs a request may name, for tools and for images, written as <see href="#gatewaytools">below</see>. Empty is as
    /// absent.
    /// </summary>
    /// <value>Default: none: every public host</value>
    public IReadOnlyList<string>? ToolHosts { get; set; }
}
