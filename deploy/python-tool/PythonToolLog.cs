namespace PythonTool;

/// <summary>Never code or output of calls, nor a session's key.</summary>
internal static partial class PythonToolLog
{
    [LoggerMessage(1, LogLevel.Information, "Serving MCP at {Address}/mcp, {Sandboxes} sandboxes at most")]
    public static partial void Serving(this ILogger logger, string address, int sandboxes);

    [LoggerMessage(2, LogLevel.Warning, "A sandbox could not be started: {Reason}")]
    public static partial void SandboxFailed(this ILogger logger, string reason);
}
