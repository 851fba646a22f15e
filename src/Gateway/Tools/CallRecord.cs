namespace Gateway.Tools;

/// <summary>What the journal knows of a call that was started.</summary>
/// <param name="Result">Its outcome, or null when the replica that ran it was gone before it had one.</param>
internal sealed record CallRecord(ServerCallResult? Result);
