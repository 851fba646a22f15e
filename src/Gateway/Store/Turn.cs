namespace Gateway.Store;

/// <summary>One turn as it is kept: the items it added, and what the gateway must remember about them but no client sees.</summary>
/// <param name="Input">The input items, raw JSON, all with ids. An erased one is empty, so that the items behind it keep their number.</param>
/// <param name="Output">The output items, raw JSON, as they were told; an erased one is empty.</param>
/// <param name="Private">JSON for the gateway alone (upstream tool call ids); empty when there is nothing.</param>
internal sealed record Turn(IReadOnlyList<ReadOnlyMemory<byte>> Input, IReadOnlyList<ReadOnlyMemory<byte>> Output, ReadOnlyMemory<byte> Private)
{
    /// <summary>How many items it has, erased ones included.</summary>
    public int Count => Input.Count + Output.Count;

    /// <summary>An item by its number, input items first; empty when it is erased.</summary>
    public ReadOnlyMemory<byte> this[int index] => index < Input.Count ? Input[index] : Output[index - Input.Count];

    /// <summary>Items of a turn without the erased ones.</summary>
    public static IReadOnlyList<ReadOnlyMemory<byte>> Kept(IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].IsEmpty)
            {
                return [.. items.Where(static item => !item.IsEmpty)];
            }
        }

        return items;
    }
}
