namespace Gateway.Tools;

/// <summary>Log messages of server-run tools, event ids 4000 to 4099. Never an argument or a result.</summary>
internal static partial class ToolLog
{
    // Type and place only: the message may hold what the model or the server said.
    [LoggerMessage(4000, LogLevel.Error, "A call of a server-run tool failed by a bug: {Exception}\n{StackTrace}")]
    public static partial void Bug(ILogger logger, string exception, string? stackTrace);
}
