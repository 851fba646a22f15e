namespace Gateway.Upstream;

/// <summary>Log messages of the upstream side, event ids 3000 to 3099.</summary>
internal static partial class UpstreamLog
{
    [LoggerMessage(3000, LogLevel.Warning, "No model server is configured: requests are answered by the built-in demo, which only echoes. Set Gateway:Upstreams:<name>:Address to use a real one.")]
    public static partial void DemoOnly(ILogger logger);

    [LoggerMessage(3001, LogLevel.Information, "Upstream {Upstream} has {Addresses} address(es), profile {Profile}.")]
    public static partial void UpstreamConfigured(ILogger logger, string upstream, int addresses, string profile);

    [LoggerMessage(3002, LogLevel.Error, "The changed configuration of the upstreams is wrong, the last good one stays in force: {Errors}")]
    public static partial void ReloadRefused(ILogger logger, string errors);

    [LoggerMessage(3003, LogLevel.Warning, "A destination's name was not resolved ({Reason}); its last addresses are known: {Known}.")]
    public static partial void NameNotResolved(ILogger logger, string reason, bool known);

    [LoggerMessage(3004, LogLevel.Warning, "A destination of upstream {Upstream} is left alone for {Seconds} s, as long as there is another, after failures, the last of them {Failure}.")]
    public static partial void DestinationTakenOut(ILogger logger, string upstream, UpstreamFailure failure, double seconds);

    [LoggerMessage(3005, LogLevel.Information, "Upstream {Upstream} names {Count} model(s).")]
    public static partial void ModelsDiscovered(ILogger logger, string upstream, int count);

    // Written once until the upstream answers again: it is asked again and again.
    [LoggerMessage(3006, LogLevel.Warning, "Upstream {Upstream} does not tell its models ({Reason}); asking again.")]
    public static partial void DiscoveryFailed(ILogger logger, string upstream, string reason);

    // Written once until the reason changes.
    [LoggerMessage(3007, LogLevel.Warning, "The key file of upstream {Upstream} can not be used ({Reason}); the last key stays in force.")]
    public static partial void KeyFileNotRead(ILogger logger, string upstream, string reason);

    [LoggerMessage(3008, LogLevel.Warning, "Upstream {Upstream}, attempt {Attempt}: {Failure}, status {Status} ({Reason}).")]
    public static partial void AttemptFailed(ILogger logger, string upstream, int attempt, UpstreamFailure failure, int status, string reason);

    [LoggerMessage(3009, LogLevel.Debug, "Upstream {Upstream} had closed a kept-alive connection; sending again on a fresh one.")]
    public static partial void StaleConnection(ILogger logger, string upstream);

    [LoggerMessage(3010, LogLevel.Error, "Upstream {Upstream} refuses the gateway's credentials (status {Status}). Check its ApiKey.")]
    public static partial void CredentialsRefused(ILogger logger, string upstream, int status);

    [LoggerMessage(3011, LogLevel.Information, "Upstream {Upstream} wants to be spoken to differently; learned for profile {Profile}.")]
    public static partial void ProfileLearned(ILogger logger, string upstream, string profile);

    [LoggerMessage(3012, LogLevel.Error, "The discovery of models failed for a reason of its own and goes on with the next round.")]
    public static partial void DiscoveryBroken(ILogger logger, Exception exception);

    [LoggerMessage(3040, LogLevel.Information, "Upstream {Upstream} has no endpoint that counts tokens (status {Status}); it is asked again in {Minutes} min. Prompts are counted by calls with one output token.")]
    public static partial void NoTokenizer(ILogger logger, string upstream, int status, double minutes);
}
