namespace Gateway.Egress;

/// <summary>
/// The guard stopped a request on its way: at connecting, at a redirect, or while its answer was read. An <see cref="HttpRequestException"/>,
/// so that code which does not know the guard takes it for what it is to it: a request that failed.
/// </summary>
internal sealed class EgressRefusedException(EgressRefusal refusal) : HttpRequestException(refusal.Message)
{
    public EgressRefusal Refusal { get; } = refusal;

    /// <summary>The refusal behind an exception, however often it was wrapped; null when the guard had no part in it.</summary>
    public static EgressRefusal? Find(Exception? exception) => exception switch
    {
        null => null,
        EgressRefusedException refused => refused.Refusal,
        AggregateException several => several.InnerExceptions.Select(Find).FirstOrDefault(refusal => refusal is not null),
        _ => Find(exception.InnerException),
    };
}
