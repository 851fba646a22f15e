using System.IO.Enumeration;

namespace Gateway.Policy;

/// <summary>What holds for one tenant, worked out once from <c>Gateway:Policy</c> and the tenant's own.</summary>
internal sealed class EffectivePolicy
{
    private const int UsualMaxToolCalls = 128;
    private const int UsualDefaultMaxToolCalls = 32;

    private EffectivePolicy(PolicyOptions common, PolicyOptions? own)
    {
        StoreAllowed = (own?.Store ?? common.Store ?? StorePolicy.Allow) == StorePolicy.Allow;
        StrictParameters = own?.StrictParameters ?? common.StrictParameters ?? false;
        MaxToolCalls = own?.MaxToolCalls ?? common.MaxToolCalls ?? UsualMaxToolCalls;
        // The ceiling may be the tenant's and the default everyone's: the ceiling holds.
        DefaultMaxToolCalls = Math.Min(own?.DefaultMaxToolCalls ?? common.DefaultMaxToolCalls ?? UsualDefaultMaxToolCalls, MaxToolCalls);
        Models = own?.Models is { Count: > 0 } models ? models : common.Models ?? [];
        OpenStreams = own?.OpenStreams ?? common.OpenStreams;
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

    public static EffectivePolicy From(PolicyOptions common, PolicyOptions? own = null) => new(common, own);

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
