namespace Gateway.Hosting;

internal static partial class HostingLog
{
    [LoggerMessage(5050, LogLevel.Information, "Stopping: {Running} requests are running and have {Timeout} to finish.")]
    public static partial void Draining(ILogger logger, int running, TimeSpan timeout);

    [LoggerMessage(5051, LogLevel.Warning, "Stopping: {Running} requests did not finish within {Timeout} and are cut off.")]
    public static partial void DrainTimedOut(ILogger logger, int running, TimeSpan timeout);

    [LoggerMessage(5052, LogLevel.Warning, "The configuration key '{Key}' is not known and has no effect. {Hint}")]
    public static partial void UnknownKey(ILogger logger, string key, string hint);

    [LoggerMessage(5053, LogLevel.Error, "The changed file {File} can not be read, its last good settings stay in force: {Reason}")]
    public static partial void SettingsRefused(ILogger logger, string file, string reason);
}
