namespace Gateway.Upstream.Probing;

/// <summary>Log messages of probing, event ids 3050 to 3059. Names of models are not logged.</summary>
internal static partial class ProbeLog
{
    [LoggerMessage(3050, LogLevel.Information, "Upstream {Upstream} is {Kind}, version {Version}; it differs from that profile in {Differences} ({Calls} calls of one token).")]
    public static partial void Probed(ILogger logger, string upstream, string kind, string version, string differences, int calls);

    // Written once until another reason comes: it is asked again and again.
    [LoggerMessage(3051, LogLevel.Warning, "Upstream {Upstream} can not be probed to the end ({Reason}); profile {Profile} is in force, asking again.")]
    public static partial void Interrupted(ILogger logger, string upstream, string reason, string profile);

    [LoggerMessage(3052, LogLevel.Error, "The probe of upstream {Upstream} failed for a reason of its own; profile {Profile} stays in force.")]
    public static partial void Broken(ILogger logger, Exception exception, string upstream, string profile);
}
