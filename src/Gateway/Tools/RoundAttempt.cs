using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>One round in the form in which it is sent: what the context and the profile say, and what was changed to make it succeed.</summary>
/// <param name="context">What the model must see.</param>
/// <param name="maxOutputTokens">The output tokens that are left of the response's limit; null without a limit.</param>
internal sealed class RoundAttempt(LoopContext context, int? maxOutputTokens)
{
    private readonly LoopRequest _loop = context.Loop;
    private readonly IReadOnlyList<Tool> _tools = context.Offered;
    private int? _maxOutputTokens = maxOutputTokens;
    private bool _limitWasCut;

    public LoopRequest Loop => _loop;

    /// <summary>What the model must see.</summary>
    public LoopContext Context => context;

    /// <summary>Where it went last.</summary>
    public ChatRoute Route { get; set; } = context.Routes.First;

    /// <summary>The upstream's own words when it refused; for recognising what it refused.</summary>
    public string? UpstreamMessage { get; set; }

    /// <summary>The round was made twice because the model did not call the tool it had to.</summary>
    public bool AskedAgain { get; set; }

    /// <summary>The routes whose servers can not hold the round as it is now, and would cut it in silence.</summary>
    public List<ChatRoute> TooSmall { get; } = [];

    /// <summary>The round as an upstream gets it.</summary>
    public ChatBody Write(ChatRoute route)
    {
        if (TooSmall.Contains(route))
        {
            return ChatBody.Refused(ApiError.ContextLengthExceeded());
        }

        var request = ToChatRequest(route);
        var buffer = new PooledBuffer(16 * 1024);
        if (ChatRequestWriter.Write(request, buffer) is not { } refused)
        {
            return new ChatBody(buffer, request.Stream);
        }

        buffer.Dispose();
        return ChatBody.Refused(refused);
    }

    /// <summary>The round as the upstream of a route gets it.</summary>
    /// <param name="route">The route.</param>
    /// <param name="items">Items to send instead of the context's.</param>
    public ChatRequest ToChatRequest(ChatRoute route, IReadOnlyList<Item>? items = null) => new()
    {
        Request = _loop.Request,
        Model = route.Model,
        Profile = route.Profile,
        Items = items ?? context.Items,
        Stream = AsksForStream(route.Profile),
        MaxOutputTokens = _maxOutputTokens,
        ToolChoice = context.Choice,
        Tools = _tools,
        HistoryTools = route.Profile.ToolsWithHistory ? HistoryTools() : [],
        Notes = context.Notes,
        InlinedImages = context.InlinedImages,
        OpenSealedReasoning = _loop.OpenSealedReasoning,
    };

    /// <param name="maxCalls">The most calls that the answer may hold.</param>
    public RoundContext ToContext(int maxCalls) => new()
    {
        Profile = Route.Profile,

        // Not only what is offered: a model that calls a tool it no longer has must not make it look like a function of the client's.
        Tools = context.Tools,
        KeepReasoningTags = _loop.Dialect.KeepsReasoningTags,
        WantsLogprobs = _loop.Request.Include.HasFlag(Includes.Logprobs) || _loop.Request.TopLogprobs > 0,
        WantsSummary = _loop.Request.ReasoningSummary is not null,
        OneCallOnly = _loop.Request.ParallelToolCalls == false,
        MaxCalls = maxCalls,
        IsCallIdTaken = context.IsCallIdTaken,
        NewCallId = CallIds.New,
    };

    /// <summary>A forced call did not come from a server that does not force: worth one more try, if the client has seen nothing.</summary>
    public bool ShouldAskAgain(RoundOutcome outcome, bool isStream)
    {
        var choice = context.Choice;
        var notForced = Route.Profile.RequiredToolChoice == RequiredToolChoice.FilterRetry
            || (choice.IsNamed && Route.Profile.NamedToolChoice == NamedToolChoice.Filter);
        return !isStream && !AskedAgain && notForced && choice.Mode == ToolChoiceMode.Required
            && outcome.End == RoundEnd.Completed && outcome.Calls.Count == 0;
    }

    /// <summary>The output tokens that the round is limited to; null without a limit.</summary>
    public int? MaxOutputTokens => _maxOutputTokens;

    /// <summary>Lowers the limit of output tokens, once, to what fits beside the prompt. False when that does not help or leaves no answer.</summary>
    public bool TryLowerOutputLimit(int room, int minOutputTokens)
    {
        if (_limitWasCut || room < minOutputTokens || _maxOutputTokens is not { } limit || room >= limit)
        {
            return false;
        }

        _limitWasCut = true;
        _maxOutputTokens = room;
        return true;
    }

    /// <summary>The kind of call the upstream gets.</summary>
    private bool AsksForStream(RouteProfile profile) => profile.Stream switch
    {
        StreamMode.Always => true,
        StreamMode.Never => false,
        _ => _loop.Request.Stream && (profile.StreamWithTools || _tools.Count == 0),
    };

    /// <summary>Servers that want tools whenever the history holds calls get those that the calls were made with.</summary>
    private IReadOnlyList<Tool> HistoryTools() => context.Tools.Count > 0 ? context.Tools : _loop.ReadHistoryTools();
}
