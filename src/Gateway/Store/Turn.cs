namespace Gateway.Store;

/// <summary>One turn as it is kept: the items it added, and what the gateway must remember about them but no client sees.</summary>
/// <param name="Input">The input items, raw JSON, all with ids.</param>
/// <param name="Output">The output items, raw JSON, as they were told.</param>
/// <param name="Private">JSON for the gateway alone (upstream tool call ids); empty when there is nothing.</param>
internal sealed record Turn(IReadOnlyList<ReadOnlyMemory<byte>> Input, IReadOnlyList<ReadOnlyMemory<byte>> Output, ReadOnlyMemory<byte> Private);
