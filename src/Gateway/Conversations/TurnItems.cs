using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Conversations;

/// <summary>The items of one turn by their ids, which say their numbers.</summary>
internal static class TurnItems
{
    /// <summary>
    /// The item of this number and id; null when it is erased or another one. The number alone proves nothing: an input item may carry an id
    /// that its client made.
    /// </summary>
    public static Item? Find(Turn turn, int index, string id) =>
        index < turn.Count && turn[index] is { IsEmpty: false } json && ItemTable.View(json) is var item && item.Id == id ? item : null;

    /// <summary>The turn without an item and all that is remembered of it; the others keep their numbers. Null when it is not there.</summary>
    public static Turn? Without(Turn turn, int index, string id)
    {
        if (Find(turn, index, id) is not { } item)
        {
            return null;
        }

        var inputs = turn.Input.Count;
        return new Turn(
            index < inputs ? WithoutAt(turn.Input, index) : turn.Input,
            index < inputs ? turn.Output : WithoutAt(turn.Output, index - inputs),
            TurnNotes.Without(turn.Private, item));
    }

    private static ReadOnlyMemory<byte>[] WithoutAt(IReadOnlyList<ReadOnlyMemory<byte>> items, int index)
    {
        ReadOnlyMemory<byte>[] left = [.. items];
        left[index] = default;
        return left;
    }
}
