using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>
/// What must be remembered about calls and no client sees, by the ids that clients know: of client-run calls the call id, of server-run calls
/// and lists of tools the item's id.
/// </summary>
public sealed class CallNotes
{
    // Most responses have nothing to remember.
    private Dictionary<string, string>? _upstreamIds;
    private Dictionary<string, HiddenCall>? _hidden;
    private HashSet<string>? _roundStarts;
    private HashSet<string>? _abandoned;
    private Dictionary<string, McpToolFilter?>? _lists;

    /// <summary>The upstream's own ids of calls, which some models want back to the letter, where they differ.</summary>
    public Dictionary<string, string> UpstreamIds => _upstreamIds ??= new(StringComparer.Ordinal);

    /// <summary>What the model sees of server-run calls whose items do not hold it.</summary>
    public Dictionary<string, HiddenCall> Hidden => _hidden ??= new(StringComparer.Ordinal);

    /// <summary>
    /// The calls with which a round of the model began: the server-run calls before them were answered before these were made.
    /// </summary>
    public HashSet<string> RoundStarts => _roundStarts ??= new(StringComparer.Ordinal);

    /// <summary>
    /// Items of rounds that were given up and made anew: clients were told of them, the model has never said them. Calls among them count all
    /// the same, since clients may answer them.
    /// </summary>
    public HashSet<string> Abandoned => _abandoned ??= new(StringComparer.Ordinal);

    /// <summary>What a server's list of tools was limited to when it was made (<c>allowed_tools</c>); null for a whole one.</summary>
    public Dictionary<string, McpToolFilter?> Lists => _lists ??= new(StringComparer.Ordinal);

    public bool IsEmpty => this is
    {
        _upstreamIds: null or { Count: 0 }, _hidden: null or { Count: 0 }, _roundStarts: null or { Count: 0 }, _abandoned: null or { Count: 0 }, _lists: null or { Count: 0 },
    };

    /// <summary>The item is of a round that was given up.</summary>
    public bool IsAbandoned(Item item) => _abandoned is { Count: > 0 } && _abandoned.Contains(item.Id);

    /// <summary>Remembers a call.</summary>
    public void Add(string id, string? upstreamId, HiddenCall? hidden = null, bool startsRound = false)
    {
        if (upstreamId is not null && upstreamId != id)
        {
            UpstreamIds[id] = upstreamId;
        }

        if (hidden is not null)
        {
            Hidden[id] = hidden;
        }

        if (startsRound)
        {
            RoundStarts.Add(id);
        }
    }

    /// <summary>Takes over what other notes say.</summary>
    public void Add(CallNotes notes)
    {
        ArgumentNullException.ThrowIfNull(notes);
        if (notes.IsEmpty)
        {
            return;
        }

        foreach (var (id, upstreamId) in notes.UpstreamIds)
        {
            UpstreamIds[id] = upstreamId;
        }

        foreach (var (id, hidden) in notes.Hidden)
        {
            Hidden[id] = hidden;
        }

        foreach (var (id, filter) in notes.Lists)
        {
            Lists[id] = filter;
        }

        RoundStarts.UnionWith(notes.RoundStarts);
        Abandoned.UnionWith(notes.Abandoned);
    }
}
