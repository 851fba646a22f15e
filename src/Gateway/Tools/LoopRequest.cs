using Gateway.Egress;
using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>What the tool loop works on.</summary>
internal sealed class LoopRequest
{
    public required ResponsesRequest Request { get; init; }

    public required Dialect Dialect { get; init; }

    /// <summary>The model by the client's name.</summary>
    public required string Model { get; init; }

    /// <summary>Every item the model must see, oldest first, references resolved.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>How many of <see cref="Items"/> are the chain's; the rest are the request's own.</summary>
    public required int ChainItems { get; init; }

    /// <summary>The upstream's call ids by the client's, from the chain; null when there are none.</summary>
    public IReadOnlyDictionary<string, string>? UpstreamCallIds { get; init; }

    /// <summary>Opens sealed reasoning, or null when it is not ours.</summary>
    public required Func<string, string?> OpenSealedReasoning { get; init; }

    /// <summary>The tools of the chain, for servers that want them whenever the history holds calls.</summary>
    public required Func<IReadOnlyList<Tool>> ReadHistoryTools { get; init; }

    /// <summary>The tenant's way to hosts that the request names.</summary>
    public required EgressScope Egress { get; init; }

    /// <summary>Requests of one chain prefer one destination.</summary>
    public string? AffinityKey { get; init; }
}
