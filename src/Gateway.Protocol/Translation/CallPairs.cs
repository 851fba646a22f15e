using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Which output answers which call. Call ids may come back in later turns, so the pairs follow the order of the items: an output answers
/// the open call of its id, or, when it stands before its call, the next one.
/// </summary>
public sealed class CallPairs
{
    /// <summary>The item is no call and no output, or is one without a partner.</summary>
    public const int None = -1;

    /// <summary>The item repeats a call that is still open, or an output that was given already.</summary>
    public const int Duplicate = -2;

    private readonly int[]? _partners;

    private CallPairs(int[]? partners)
    {
        _partners = partners;
    }

    /// <summary>The index of the item's partner, <see cref="None"/> or <see cref="Duplicate"/>.</summary>
    public int PartnerOf(int index) => _partners is null ? None : _partners[index];

    /// <summary>Finds the pairs of a context. The time is linear in the number of items.</summary>
    public static CallPairs Find(IReadOnlyList<Item> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        int[]? partners = null;
        var latest = new Dictionary<ReadOnlyMemory<byte>, int>(BytesComparer.Instance);
        for (var i = 0; i < items.Count; i++)
        {
            var mapping = ItemTable.Row(items[i].Kind).Mapping;
            if (mapping is not (ItemMapping.Call or ItemMapping.Output))
            {
                continue;
            }

            if (partners is null)
            {
                partners = new int[items.Count];
                Array.Fill(partners, None);
            }

            var callId = JsonView.Unescape(items[i].CallIdMemory);
            if (callId.IsEmpty)
            {
                continue;
            }

            // The latest item of this id that opened or closed a pair.
            if (!latest.TryGetValue(callId, out var other))
            {
                latest.Add(callId, i);
                continue;
            }

            var sameSide = ItemTable.Row(items[other].Kind).Mapping == mapping;
            var paired = partners[other] != None;
            if (!paired && !sameSide)
            {
                partners[i] = other;
                partners[other] = i;
                latest[callId] = i;
            }
            else if (mapping == ItemMapping.Output || !paired)
            {
                partners[i] = Duplicate;
            }
            else
            {
                // A call after a finished pair: the id is used again.
                latest[callId] = i;
            }
        }

        return new CallPairs(partners);
    }

    private sealed class BytesComparer : IEqualityComparer<ReadOnlyMemory<byte>>
    {
        public static readonly BytesComparer Instance = new();

        public bool Equals(ReadOnlyMemory<byte> x, ReadOnlyMemory<byte> y) => x.Span.SequenceEqual(y.Span);

        public int GetHashCode(ReadOnlyMemory<byte> obj)
        {
            var hash = default(HashCode);
            hash.AddBytes(obj.Span);
            return hash.ToHashCode();
        }
    }
}
