using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>What a request continues, and everything the model must see.</summary>
internal sealed class Conversation
{
    /// <summary>Deeper than any limit on requests, so that what was accepted once can always be read again.</summary>
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = 1024 };

    /// <summary>The parent response; null when the request starts a chain.</summary>
    public required Chain? Chain { get; init; }

    /// <summary>Every item, oldest first: the chain's, then the request's own; references are resolved.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>How many of <see cref="Items"/> are the chain's.</summary>
    public required int ChainItems { get; init; }

    /// <summary>What is remembered of the chain's calls.</summary>
    public required CallNotes Notes { get; init; }

    /// <summary>Nothing but the request's own items.</summary>
    public static Conversation Without(ResponsesRequest request) => new() { Chain = null, Items = request.Input, ChainItems = 0, Notes = new CallNotes() };

    /// <summary>
    /// The id of the response to be made. It stays in the parent's chain while the parent is that chain's tail; otherwise it opens a chain
    /// whose history points across.
    /// </summary>
    public ResponseId NewResponseId() => Chain is { ParentIsTail: true } chain ? chain.Parent.Id.NewInChain() : ResponseId.NewChain();

    /// <summary>The parent's model, for a request that names none; null without a parent.</summary>
    public string? ReadParentModel()
    {
        if (Chain is null)
        {
            return null;
        }

        using var envelope = JsonDocument.Parse(Chain.Parent.Envelope, AnyDepth);
        return envelope.RootElement.GetProperty("model"u8).GetString();
    }

    /// <summary>The tools the parent was offered, for servers that want them whenever the history holds calls; none without a parent.</summary>
    public IReadOnlyList<Tool> ReadParentTools()
    {
        if (Chain is null)
        {
            return [];
        }

        using var envelope = JsonDocument.Parse(Chain.Parent.Envelope, AnyDepth);
        return ToolNames.FromEcho(Encoding.UTF8.GetBytes(envelope.RootElement.GetProperty("tools"u8).GetRawText()));
    }

    /// <summary>The history's place in the store.</summary>
    public IReadOnlyList<PathSegment> ParentPath => Chain?.Parent.Path ?? [];
}
