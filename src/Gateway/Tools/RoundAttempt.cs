using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>One round in the form in which it is sent: what the request and the profile say, and what was changed to make it succeed.</summary>
internal sealed class RoundAttempt(LoopRequest loop, ChatRoute route)
{
    /// <summary>The request's tools, and those that items of the context add.</summary>
    private readonly IReadOnlyList<Tool> _tools = ToolNames.WithItems(loop.Request.Tools, loop.Items);
    private IReadOnlyList<Item> _items = loop.Items;
    private int? _maxOutputTokens = loop.Request.MaxOutputTokens;
    private bool _limitWasCut;

    public LoopRequest Loop => loop;

    public ChatRoute Route { get; set; } = route;

    /// <summary>The upstream's own words when it refused; for recognising what it refused.</summary>
    public string? UpstreamMessage { get; set; }

    /// <summary>The round was made twice because the model did not call the tool it had to.</summary>
    public bool AskedAgain { get; set; }

    /// <summary>Images that were fetched for all rounds, by URL.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? InlinedImages { get; init; }

    /// <summary>The kind of call the upstream gets.</summary>
    public bool Stream => Route.Profile.Stream switch
    {
        StreamMode.Always => true,
        StreamMode.Never => false,
        _ => loop.Request.Stream && (Route.Profile.StreamWithTools || _tools.Count == 0),
    };

    public ChatRequest ToChatRequest() => new()
    {
        Request = loop.Request,
        Model = Route.Model,
        Profile = Route.Profile,
        Items = _items,
        Stream = Stream,
        MaxOutputTokens = _maxOutputTokens,
        ToolChoice = loop.Request.ToolChoice,
        Tools = _tools,
        HistoryTools = Route.Profile.ToolsWithHistory && _tools.Count == 0 ? loop.ReadHistoryTools() : [],
        UpstreamCallIds = loop.UpstreamCallIds,
        InlinedImages = InlinedImages,
        OpenSealedReasoning = loop.OpenSealedReasoning,
    };

    public RoundContext ToContext() => new()
    {
        Profile = Route.Profile,
        Tools = _tools,
        KeepReasoningTags = loop.Dialect.KeepsReasoningTags,
        WantsLogprobs = loop.Request.Include.HasFlag(Includes.Logprobs) || loop.Request.TopLogprobs > 0,
        WantsSummary = loop.Request.ReasoningSummary is not null,
        OneCallOnly = loop.Request.ParallelToolCalls == false,
        IsCallIdTaken = IsCallIdTaken,
        NewCallId = CallIds.New,
    };

    /// <summary>A forced call did not come from a server that does not force: worth one more try, if the client has seen nothing.</summary>
    public bool ShouldAskAgain(RoundOutcome outcome, bool isStream)
    {
        var choice = loop.Request.ToolChoice;
        var notForced = Route.Profile.RequiredToolChoice == RequiredToolChoice.FilterRetry
            || (choice.IsNamed && Route.Profile.NamedToolChoice == NamedToolChoice.Filter);
        return !isStream && !AskedAgain && notForced && choice.Mode == ToolChoiceMode.Required
            && outcome.End == RoundEnd.Completed && outcome.Calls.Count == 0;
    }

    /// <summary>Makes the request smaller after "context too long". False when nothing can be given up.</summary>
    public bool ShrinkForContext(int minOutputTokens)
    {
        if (!_limitWasCut && _maxOutputTokens is { } limit && UpstreamMessage is { } message
            && UpstreamErrorReader.TryReadContextNumbers(message, out var window, out var prompt)
            && window - prompt >= minOutputTokens && window - prompt < limit)
        {
            _limitWasCut = true;
            _maxOutputTokens = (int)(window - prompt);
            return true;
        }

        if (!loop.Request.TruncationAuto)
        {
            return false;
        }

        var shorter = Truncation.DropOldest(_items, loop.ChainItems - (loop.Items.Count - _items.Count));
        var dropped = shorter.Count < _items.Count;
        _items = shorter;
        return dropped;
    }

    private bool IsCallIdTaken(string callId)
    {
        Span<byte> utf8 = stackalloc byte[128];
        if (callId.Length > utf8.Length || !System.Text.Encoding.UTF8.TryGetBytes(callId, utf8, out var length))
        {
            return true;
        }

        foreach (var item in loop.Items)
        {
            if (item.CallIdUtf8.SequenceEqual(utf8[..length]))
            {
                return true;
            }
        }

        return false;
    }
}
