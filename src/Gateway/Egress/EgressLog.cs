namespace Gateway.Egress;

/// <summary>Log messages of the guard, event ids 6000 to 6099. Of a URL only the host: the rest may hold secrets.</summary>
internal static partial class EgressLog
{
    // Information: clients cause it, as often as they like, and the metric counts it.
    [LoggerMessage(6000, LogLevel.Information, "A request to host '{Host}' was refused: {Kind}.")]
    public static partial void Refused(ILogger logger, string host, EgressRefusalKind kind);
}
