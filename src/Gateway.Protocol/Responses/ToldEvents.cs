using System.Text;

namespace Gateway.Protocol.Responses;

/// <summary>
/// What clients have been told of a response that another replica began: read from its event log, so that the one that goes on tells
/// nothing twice and leaves nothing out.
/// </summary>
public sealed class ToldEvents
{
    private const string ItemAdded = "response.output_item.added";
    private const string ItemDone = "response.output_item.done";
    private const int OfResponse = -1;
    private readonly List<(string Type, ReadOnlyMemory<byte> Json)> _open = [];
    private readonly Dictionary<string, int> _openCounts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, int> _ofResponse = new(StringComparer.Ordinal);
    private readonly SortedDictionary<int, ReadOnlyMemory<byte>> _done = [];
    private int _openIndex = OfResponse;

    /// <summary>How many events there are: the next one's sequence number.</summary>
    public long Count { get; private set; }

    /// <summary>Adds the next event of the log.</summary>
    public void Add(ReadOnlyMemory<byte> json)
    {
        Count++;
        var type = EventJson.TypeOf(json);
        if (EventJson.OutputIndexOf(json) is not { } index)
        {
            // A repeated sign of life is no second beginning.
            _ofResponse[type] = 1;
            return;
        }

        switch (type)
        {
            case ItemAdded:
                _openIndex = index;
                break;
            case ItemDone:
                _done[index] = JsonView.Member(json, "item"u8);
                _openIndex = OfResponse;
                _open.Clear();
                _openCounts.Clear();
                return;
        }

        _open.Add((type, json));
        _openCounts[type] = _openCounts.GetValueOrDefault(type) + 1;
    }

    /// <summary>The events of the item that was opened and not closed, in order; empty when none is open.</summary>
    internal IReadOnlyList<(string Type, ReadOnlyMemory<byte> Json)> Open => _open;

    /// <summary>The item at a place, closed; empty when it is not.</summary>
    internal ReadOnlyMemory<byte> DoneAt(int outputIndex) => _done.GetValueOrDefault(outputIndex);

    /// <summary>The item at this place has been opened and not closed.</summary>
    internal bool IsOpenAt(int outputIndex) => _openIndex == outputIndex && _open.Count > 0;

    /// <summary>Takes one event of the response as a whole. False when it has not been told.</summary>
    internal bool TakeOfResponse(ReadOnlySpan<byte> type) => Take(_ofResponse, type);

    /// <summary>Takes one event of the item at a place. False when it has not been told.</summary>
    internal bool TakeOfItem(ReadOnlySpan<byte> type, int outputIndex) =>
        _done.ContainsKey(outputIndex) || (outputIndex == _openIndex && Take(_openCounts, type));

    private static bool Take(Dictionary<string, int> counts, ReadOnlySpan<byte> type)
    {
        var name = Encoding.ASCII.GetString(type);
        if (counts.GetValueOrDefault(name) is var count && count == 0)
        {
            return false;
        }

        counts[name] = count - 1;
        return true;
    }
}
