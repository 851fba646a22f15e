namespace Gateway.Upstream;

/// <summary>The values of the metric tag <c>outcome</c>.</summary>
internal static class Outcome
{
    public const string Ok = "ok";
    public const string Cancelled = "cancelled";

    public static string Of(UpstreamFailure failure) => failure switch
    {
        UpstreamFailure.None => Ok,
        UpstreamFailure.NoDestination => "no_destination",
        UpstreamFailure.Connect => "connect",
        UpstreamFailure.FirstByteTimeout => "first_byte_timeout",
        UpstreamFailure.IdleTimeout => "idle_timeout",
        UpstreamFailure.Refused => "refused",
        _ => "protocol",
    };
}
