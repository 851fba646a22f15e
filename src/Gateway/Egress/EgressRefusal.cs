namespace Gateway.Egress;

/// <summary>
/// A URL that the gateway does not call. Callers tell it as a 400 that names the field the URL came in.
/// </summary>
/// <param name="Kind">Why; for metrics and the operator's log.</param>
internal sealed record EgressRefusal(EgressRefusalKind Kind)
{
    /// <summary>
    /// A sentence for the client. A name that does not exist and one that has a private address are told alike, so that nobody can look up
    /// the names of the network the gateway stands in.
    /// </summary>
    public string Message => Kind switch
    {
        EgressRefusalKind.InvalidUrl => "The URL is not valid: expected an absolute http or https URL.",
        EgressRefusalKind.Scheme => "The URL must begin with http:// or https://.",
        EgressRefusalKind.UserInfo => "The URL must not hold a user name or password.",
        EgressRefusalKind.HostNotListed => "The URL's host is not one of those that may be used with this API key.",
        EgressRefusalKind.HostUnresolved or EgressRefusalKind.AddressNotAllowed => "The URL's host is unknown, or it is not a public one.",
        EgressRefusalKind.Downgrade => "The server redirects from https to http.",
        EgressRefusalKind.LeavesOrigin => "The server redirects to another host.",
        EgressRefusalKind.TooManyRedirects => "The server redirects too often.",
        EgressRefusalKind.ResponseTooLarge => "The server's answer is too large.",
        _ => throw new InvalidOperationException($"The refusal {Kind} has no message."),
    };
}
