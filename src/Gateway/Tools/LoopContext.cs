using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>What the model must see, as it grows from round to round: the request's context, then what the response added to it.</summary>
internal sealed class LoopContext
{
    private readonly HashSet<string> _abandonedCalls = new(StringComparer.Ordinal);
    private List<Item> _items;
    private int _withheld;

    public LoopContext(LoopRequest loop, ModelRoutes routes)
    {
        Loop = loop;
        Routes = routes;
        AffinityKey = loop.AffinityKey is { } key ? UpstreamRequests.AffinityKey(loop.Tenant, key) : null;
        _items = [.. loop.Items];
        ChainItems = loop.ChainItems;
        Notes.Add(loop.Notes);
        Tools = ToolNames.WithItems(loop.Request.Tools, loop.Items);
        Choice = loop.Request.ToolChoice;
    }

    public LoopRequest Loop { get; }

    /// <summary>What all rounds prefer one destination by.</summary>
    public string? AffinityKey { get; }

    /// <summary>Where the rounds may go. It changes with the configuration, and when a server turns out to differ from its profile.</summary>
    public ModelRoutes Routes { get; set; }

    public IReadOnlyList<Item> Items => _items;

    /// <summary>How many of <see cref="Items"/> are the chain's.</summary>
    public int ChainItems { get; private set; }

    /// <summary>Every tool there is: the request's, those that items add, and those that servers listed.</summary>
    public IReadOnlyList<Tool> Tools { get; private set; }

    /// <summary>What the next round may call.</summary>
    public ToolChoice Choice { get; set; }

    /// <summary>The next round gets the client's tools only.</summary>
    public bool WithoutServerTools { get; set; }

    /// <summary>Images that the upstream gets inline, by their URLs; null when there are none.</summary>
    public IReadOnlyDictionary<string, ReadOnlyMemory<byte>>? InlinedImages { get; init; }

    /// <summary>The tokens of the rounds so far.</summary>
    public Usage Spent { get; set; }

    /// <summary>The notes of the chain and of this response.</summary>
    public CallNotes Notes { get; } = new();

    /// <summary>The notes of this response: what is stored with its turn.</summary>
    public CallNotes OwnNotes { get; } = new();

    /// <summary>The tools that the next round is offered.</summary>
    public IReadOnlyList<Tool> Offered => WithoutServerTools ? [.. Tools.Where(static tool => !tool.IsServerRun)] : Tools;

    public void AddTools(IEnumerable<Tool> tools) => Tools = [.. Tools, .. tools];

    /// <summary>Adds a finished output item.</summary>
    public void Add(ReadOnlyMemory<byte> item) => _items.Add(ItemTable.View(item));

    /// <summary>Adds a server's finished list of tools, with what it was limited to.</summary>
    public void AddList(ReadOnlyMemory<byte> item, McpToolFilter? filter)
    {
        var view = ItemTable.View(item);
        _items.Add(view);
        OwnNotes.Lists[view.Id] = filter;
    }

    /// <summary>Adds the finished item of a server-run call, with what else the model sees of it.</summary>
    /// <param name="item">The item.</param>
    /// <param name="upstreamId">The upstream's id of the call, or null.</param>
    /// <param name="hidden">What the item does not hold, or null.</param>
    /// <param name="startsRound">The model's round began with this call.</param>
    /// <param name="startsKept">The round began with this call as later responses see it: they know nothing of calls without an item.</param>
    public void AddServerCall(ReadOnlyMemory<byte> item, string? upstreamId, HiddenCall? hidden, bool startsRound, bool startsKept)
    {
        var view = ItemTable.View(item);
        _items.Add(view);
        Notes.Add(view.Id, upstreamId, hidden, startsRound);
        OwnNotes.Add(view.Id, upstreamId, hidden, startsKept);
    }

    /// <summary>Adds a call that does not run and has no item for clients: the model must see an answer to each of its calls.</summary>
    public void AddWithheld(HiddenCall call, string? upstreamId, bool startsRound)
    {
        var id = $"withheld_{_withheld++}";
        _items.Add(ItemTable.View(Encoding.UTF8.GetBytes($"{{\"id\":\"{id}\",\"type\":\"mcp_call\"}}")));
        Notes.Add(id, upstreamId, call, startsRound);
    }

    /// <summary>Remembers items of tries that were given up: clients saw them, the model must not.</summary>
    public void Abandon(IEnumerable<ReadOnlyMemory<byte>> items)
    {
        foreach (var item in items)
        {
            var view = ItemTable.View(item);
            OwnNotes.Abandoned.Add(view.Id);
            if (view.CallId is { } callId)
            {
                _abandonedCalls.Add(callId);
            }
        }
    }

    /// <summary>What can be given up of the conversation.</summary>
    public TruncationPlan PlanTruncation() => TruncationPlan.Of(_items, ChainItems);

    /// <summary>Gives up the oldest part of the conversation, for the rounds to come too.</summary>
    public void Truncate(TruncationPlan plan, int steps)
    {
        ChainItems = plan.ChainItemsAfter(steps);
        _items = plan.After(steps);
    }

    public bool IsCallIdTaken(string callId)
    {
        Span<byte> utf8 = stackalloc byte[128];
        if (callId.Length > utf8.Length || !Encoding.UTF8.TryGetBytes(callId, utf8, out var length))
        {
            return true;
        }

        foreach (var item in _items)
        {
            if (item.CallIdUtf8.SequenceEqual(utf8[..length]))
            {
                return true;
            }
        }

        return _abandonedCalls.Contains(callId);
    }
}
