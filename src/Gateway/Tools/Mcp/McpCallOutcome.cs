using ModelContextProtocol.Protocol;

namespace Gateway.Tools.Mcp;

/// <summary>What came of a call.</summary>
/// <param name="Text">For the model: the result, or what went wrong.</param>
/// <param name="IsError">The tool says that it failed, or there was a <paramref name="Failure"/>.</param>
/// <param name="Failure">Why there is no result; null when the tool answered, with an error too.</param>
/// <param name="Result">The answer itself; null after a failure.</param>
internal sealed record McpCallOutcome(string Text, bool IsError, McpFailure? Failure, CallToolResult? Result) : IMcpOutcome
{
    public static McpCallOutcome Failed(McpFailure failure) => new(failure.Message, IsError: true, failure, Result: null);
}
