namespace Gateway.Store;

/// <summary>What is kept of a response besides its items.</summary>
/// <param name="Id">The response.</param>
/// <param name="Status">completed, incomplete, failed, ….</param>
/// <param name="CreatedAt">When it was created; lists are ordered by it.</param>
/// <param name="Path">The log prefixes that are its history, its own turn included: the last segment's last turn is its own.</param>
/// <param name="Envelope">The response object as JSON in the openai dialect with <c>"output":[]</c> empty.</param>
/// <param name="OutputOffset">Where in <paramref name="Envelope"/> the output's items belong: just behind the opening bracket.</param>
internal sealed record ResponseRecord(
    ResponseId Id, string Status, DateTimeOffset CreatedAt, IReadOnlyList<PathSegment> Path, ReadOnlyMemory<byte> Envelope, int OutputOffset);
