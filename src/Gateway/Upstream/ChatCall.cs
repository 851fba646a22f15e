namespace Gateway.Upstream;

/// <summary>One Chat Completions request, which may take several attempts at different destinations.</summary>
internal sealed class ChatCall
{
    public required ChatRoute Route { get; init; }

    /// <summary>The request body, JSON.</summary>
    public required ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>The body asks for a stream.</summary>
    public required bool Stream { get; init; }

    /// <summary>Calls with one key prefer one destination (the chain, conversation or prompt cache key).</summary>
    public string? AffinityKey { get; init; }

    /// <summary>Destinations that failed this call already; filled by the chat client, so that a further send goes elsewhere.</summary>
    public HashSet<string> Tried { get; } = new(StringComparer.Ordinal);

    /// <summary>Attempts made so far, over all sends.</summary>
    public int Attempts { get; set; }
}
