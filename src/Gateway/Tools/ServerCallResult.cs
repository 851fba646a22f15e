using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>What came of a server-run call.</summary>
/// <param name="End">How it ended.</param>
/// <param name="Text">What the model reads: the output, or what went wrong.</param>
/// <param name="Members">The members of the item that tell the outcome, each behind a comma.</param>
internal sealed record ServerCallResult(ServerCallEnd End, string Text, ReadOnlyMemory<byte> Members);
