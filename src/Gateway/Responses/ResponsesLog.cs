namespace Gateway.Responses;

/// <summary>Log messages of the endpoints: 1000 to 1099.</summary>
internal static partial class ResponsesLog
{
    [LoggerMessage(1000, LogLevel.Error, "Request {RequestId} failed by a bug: {Exception}\n{StackTrace}")]
    public static partial void Bug(ILogger logger, string requestId, string exception, string? stackTrace);

    [LoggerMessage(1001, LogLevel.Warning, "The store is not available")]
    public static partial void StoreUnavailable(ILogger logger, Exception exception);

    [LoggerMessage(1002, LogLevel.Warning, "A request was refused: {Reason}")]
    public static partial void NewerFormat(ILogger logger, string reason);
}
