using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>Everything that one Chat Completions request is made from. The translation is a pure function of it, and byte-stable.</summary>
public sealed class ChatRequest
{
    public required ResponsesRequest Request { get; init; }

    /// <summary>The model's name at the upstream.</summary>
    public required string Model { get; init; }

    public required RouteProfile Profile { get; init; }

    /// <summary>Every item the model must see, oldest first: the chain's, then the request's own. References are resolved already.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>Ask for a stream.</summary>
    public required bool Stream { get; init; }

    /// <summary>The output tokens this round may use; null for no limit.</summary>
    public int? MaxOutputTokens { get; init; }

    /// <summary>What the model may call in this round.</summary>
    public required ToolChoice ToolChoice { get; init; }

    /// <summary>The tools offered in this round.</summary>
    public required IReadOnlyList<Tool> Tools { get; init; }

    /// <summary>Tools remembered from the chain, for servers that want them whenever history holds calls; else empty.</summary>
    public IReadOnlyList<Tool> HistoryTools { get; init; } = [];

    /// <summary>The upstream's id of a call by the id the client knows; null when they are the same.</summary>
    public IReadOnlyDictionary<string, string>? UpstreamCallIds { get; init; }

    /// <summary>
    /// For profiles that take images as data URLs only: the data URL of each image in <see cref="ImageReferences"/> by its own URL; empty for
    /// one to be left out. An image that is not in it is refused. Null when none was fetched.
    /// </summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? InlinedImages { get; init; }

    /// <summary>Opens a reasoning item's <c>encrypted_content</c>: the reasoning text, or null when it is not this gateway's own.</summary>
    public Func<string, string?>? OpenSealedReasoning { get; init; }
}
