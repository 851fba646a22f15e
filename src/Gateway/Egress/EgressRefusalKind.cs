namespace Gateway.Egress;

/// <summary>Why the gateway does not go where a client sent it.</summary>
internal enum EgressRefusalKind
{
    /// <summary>No absolute URL with a host and a port.</summary>
    InvalidUrl,

    /// <summary>Neither http nor https.</summary>
    Scheme,

    /// <summary>A user name or password in the URL.</summary>
    UserInfo,

    /// <summary>The tenant has a list of hosts and this is none of them.</summary>
    HostNotListed,

    /// <summary>The name has no address, or nobody told one in time.</summary>
    HostUnresolved,

    /// <summary>An address of the host is not public and no rule of the operator's allows it.</summary>
    AddressNotAllowed,

    /// <summary>A redirect from https to http.</summary>
    Downgrade,

    /// <summary>A redirect of an operator's own server to another origin.</summary>
    LeavesOrigin,

    /// <summary>More redirects than <c>MaxRedirects</c>.</summary>
    TooManyRedirects,

    /// <summary>A body, or one event of a stream, above its limit.</summary>
    ResponseTooLarge,
}
