namespace Gateway.Runs;

/// <summary>What the runs of this replica log. Never with text of a request or an answer.</summary>
internal static partial class RunLog
{
    [LoggerMessage(LogLevel.Information, "Response {Response} of tenant {Tenant} is gone on with by this replica; it was taken {Times} times")]
    public static partial void Taken(ILogger logger, string response, string tenant, long times);

    [LoggerMessage(LogLevel.Information, "{Count} responses that are being made go to other replicas: the gateway stops")]
    public static partial void HandingOver(ILogger logger, int count);

    [LoggerMessage(LogLevel.Warning, "Response {Response} of tenant {Tenant} is made by another replica, or was deleted: this one stops making it")]
    public static partial void Lost(ILogger logger, string response, string tenant);

    [LoggerMessage(LogLevel.Warning, "Response {Response} of tenant {Tenant} waits: {Reason}")]
    public static partial void Waits(ILogger logger, string response, string tenant, string reason);

    [LoggerMessage(LogLevel.Error, "Response {Response} of tenant {Tenant} can not be made and is removed: {Reason}")]
    public static partial void Removed(ILogger logger, string response, string tenant, string reason);

    [LoggerMessage(LogLevel.Error, "Response {Response} of tenant {Tenant} failed by a bug: {Exception}\n{StackTrace}")]
    public static partial void Broke(ILogger logger, string response, string tenant, string exception, string? stackTrace);

    [LoggerMessage(LogLevel.Warning, "Looking for responses that nobody makes failed; it is tried again: {Exception}\n{StackTrace}")]
    public static partial void ScanFailed(ILogger logger, string exception, string? stackTrace);
}
