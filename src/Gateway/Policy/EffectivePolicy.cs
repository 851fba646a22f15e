using System.IO.Enumeration;

namespace Gateway.Policy;

/// <summary>What holds for one tenant, worked out once from <c>Gateway:Policy</c> and the tenant's own.</summary>
internal sealed class EffectivePolicy
{
    private const int UsualMaxToolCalls = 128;
    private const int UsualDefaultMaxToolCalls = 32;

    private readonly IReadOnlyList<HostRule> _toolHosts;
    private readonly bool _anyToolHost;

    private readonly TimeSpan _responses;
    private readonly TimeSpan _background;
    private readonly TimeSpan _conversations;

    private EffectivePolicy(PolicyOptions common, PolicyOptions? own, TimeSpan usualRetention)
    {
        _responses = own?.Retention.Responses ?? common.Retention.Responses ?? usualRetention;
        _background = own?.Retention.Background ?? common.Retention.Background ?? usualRetention;
        _conversations = own?.Retention.Conversations ?? common.Retention.Conversations ?? usualRetention;
        StoreAllowed = (own?.Store ?? common.Store ?? StorePolicy.Allow) == StorePolicy.Allow;
        StrictParameters = own?.StrictParameters ?? common.StrictParameters ?? false;
        MaxToolCalls = own?.MaxToolCalls ?? common.MaxToolCalls ?? UsualMaxToolCalls;
        // The ceiling may be the tenant's and the default everyone's: the ceiling holds.
        DefaultMaxToolCalls = Math.Min(own?.DefaultMaxToolCalls ?? common.DefaultMaxToolCalls ?? UsualDefaultMaxToolCalls, MaxToolCalls);
        Models = own?.Models is { Count: > 0 } models ? models : common.Models ?? [];
        OpenStreams = own?.OpenStreams ?? common.OpenStreams;
        QueuedRuns = own?.QueuedRuns ?? common.QueuedRuns;
        Followers = own?.Followers ?? common.Followers;
        var toolHosts = own?.ToolHosts is { Count: > 0 } hosts ? hosts : common.ToolHosts ?? [];
        _anyToolHost = toolHosts.Count == 0;
        _toolHosts = HostRule.ReadAll(toolHosts);
    }

    /// <summary>Responses may be kept.</summary>
    public bool StoreAllowed { get; }

    /// <summary>Members of a request that the API does not know are refused.</summary>
    public bool StrictParameters { get; }

    /// <summary>The most calls to server-run tools in one response.</summary>
    public int MaxToolCalls { get; }

    /// <summary>What a request without <c>max_tool_calls</c> gets.</summary>
    public int DefaultMaxToolCalls { get; }

    /// <summary>Names and patterns of the models that may be used; empty for all.</summary>
    public IReadOnlyList<string> Models { get; }

    /// <summary>The most responses being made at once for the tenant; null for no limit of its own.</summary>
    public int? OpenStreams { get; }

    /// <summary>The most durable runs of the tenant on all replicas; null for the usual share of the queue.</summary>
    public int? QueuedRuns { get; }

    /// <summary>The most clients of the tenant that follow runs on one replica; null for the usual share of all.</summary>
    public int? Followers { get; }

    /// <summary>How long the longest-lived class is kept.</summary>
    public TimeSpan LongestRetention => TimeSpan.FromTicks(Math.Max(_responses.Ticks, Math.Max(_background.Ticks, _conversations.Ticks)));

    /// <param name="common"><c>Gateway:Policy</c>.</param>
    /// <param name="own">The tenant's own, which wins key by key; null for none.</param>
    /// <param name="usualRetention"><c>Gateway:Store:Retention</c>; null for its default.</param>
    public static EffectivePolicy From(PolicyOptions common, PolicyOptions? own = null, TimeSpan? usualRetention = null) =>
        new(common, own, usualRetention ?? new StoredByDefault().Retention);

    /// <summary>How long what is stored is kept, from its commit on.</summary>
    public TimeSpan RetentionOf(RetentionClass kind) => kind switch
    {
        RetentionClass.Background => _background,
        RetentionClass.Conversations => _conversations,
        _ => _responses,
    };

    /// <summary>A request may name URLs of this host. Whether its address may be reached is another question, for the egress guard.</summary>
    /// <param name="host">The host of a URL: lower case, in its ASCII form, without brackets or a dot at the end.</param>
    /// <param name="port">The URL's port.</param>
    public bool AllowsToolHost(string host, int port) => _anyToolHost || _toolHosts.Any(rule => rule.MatchesHost(host, port));

    /// <summary>The model may be used. Names are compared as they are; case counts.</summary>
    public bool AllowsModel(string model)
    {
        if (Models.Count == 0)
        {
            return true;
        }

        foreach (var pattern in Models)
        {
            if (FileSystemName.MatchesSimpleExpression(pattern, model, ignoreCase: false))
            {
                return true;
            }
        }

        return false;
    }
}
