using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>A finished round with the model.</summary>
/// <param name="Abandoned">Items of earlier tries of the round that clients were told, in the order of the output before <paramref name="Items"/>.</param>
/// <param name="Items">The items that it gave.</param>
/// <param name="Outcome">How it ended; never an error.</param>
/// <param name="Spent">The tokens of all its sends; null when nothing is known of them.</param>
internal sealed record RoundRecord(
    IReadOnlyList<ReadOnlyMemory<byte>> Abandoned, IReadOnlyList<ReadOnlyMemory<byte>> Items, RoundOutcome Outcome, Usage? Spent);
