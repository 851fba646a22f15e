namespace Gateway.Egress;

/// <summary>What an address is for (the special-purpose registries of IANA, RFC 6890).</summary>
internal enum AddressClass
{
    /// <summary>A server on the internet.</summary>
    Public,

    /// <summary>This machine.</summary>
    Loopback,

    /// <summary>A private network: RFC 1918, shared address space of carriers, unique local IPv6.</summary>
    Private,

    LinkLocal,

    /// <summary>A cloud's service that tells a machine its credentials.</summary>
    Metadata,

    /// <summary>Documentation, benchmarks, transition mechanisms, and what is assigned to nobody.</summary>
    Reserved,

    /// <summary>Unspecified, multicast or broadcast: never the address of one server.</summary>
    NoHost,
}
