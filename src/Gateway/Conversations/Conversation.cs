using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>What a request continues, and everything the model must see. Disposing it lets others write to the conversation it is in.</summary>
internal sealed class Conversation : IAsyncDisposable
{
    /// <summary>Deeper than any limit on requests, so that what was accepted once can always be read again.</summary>
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = 1024 };
    private readonly ResponseId? _newId;

    /// <summary>The parent response; null when the request starts a chain or is in a conversation.</summary>
    public required Chain? Chain { get; init; }

    /// <summary>Every item, oldest first: the history's, then the request's own; references are resolved.</summary>
    public required IReadOnlyList<Item> Items { get; init; }

    /// <summary>How many of <see cref="Items"/> are the history's.</summary>
    public required int ChainItems { get; init; }

    /// <summary>What is remembered of the history's calls.</summary>
    public required CallNotes Notes { get; init; }

    /// <summary>Nothing but the request's own items.</summary>
    /// <param name="request">The request.</param>
    /// <param name="hold">The hold on the conversation that the response was to join; null for none.</param>
    public static Conversation Without(ResponsesRequest request, ConversationLock? hold) => new()
    {
        Hold = hold,
        Chain = null,
        Items = request.Input,
        ChainItems = 0,
        Notes = new CallNotes(),
        ParentPath = [],
    };

    /// <summary>Keeps the hold on the conversation that the response joins; null when it joins none, or can only fail.</summary>
    public ConversationLease? Lease { get; init; }

    /// <summary>The hold on the conversation that the response joins; null when it joins none.</summary>
    public ConversationLock? Hold
    {
        get => Lease?.Hold ?? field;
        private init;
    }

    /// <summary>The request's own items as the conversation keeps them (<see cref="NamedItems"/>); null when it joins none.</summary>
    public NamedItems? Input { get; init; }

    /// <summary>The envelope of the response that the request follows; empty when there is none.</summary>
    public ReadOnlyMemory<byte> ParentEnvelope { get; init; }

    /// <summary>The history's place in the store.</summary>
    public required IReadOnlyList<PathSegment> ParentPath { get; init; }

    /// <summary>The id of the response to be made, where the items need it before.</summary>
    public ResponseId? NewId
    {
        init => _newId = value;
    }

    /// <summary>
    /// The id of the response to be made. It stays in the parent's chain while the parent is that chain's tail, and in its conversation;
    /// otherwise it opens a chain whose history points across.
    /// </summary>
    public ResponseId NewResponseId() =>
        _newId ?? (Chain is { ParentIsTail: true } chain ? chain.Parent.Id.NewInChain() : ResponseId.NewChain());

    /// <summary>The parent's model, for a request that names none; null without a parent.</summary>
    public string? ReadParentModel()
    {
        if (ParentEnvelope.IsEmpty)
        {
            return null;
        }

        using var envelope = JsonDocument.Parse(ParentEnvelope, AnyDepth);
        return envelope.RootElement.GetProperty("model"u8).GetString();
    }

    /// <summary>The tools the parent was offered, for servers that want them whenever the history holds calls; none without a parent.</summary>
    public IReadOnlyList<Tool> ReadParentTools()
    {
        if (ParentEnvelope.IsEmpty)
        {
            return [];
        }

        using var envelope = JsonDocument.Parse(ParentEnvelope, AnyDepth);
        return ToolNames.FromEcho(Encoding.UTF8.GetBytes(envelope.RootElement.GetProperty("tools"u8).GetRawText()));
    }

    public ValueTask DisposeAsync() => Lease?.DisposeAsync() ?? ValueTask.CompletedTask;
}
