namespace Gateway.Upstream.Probing;

/// <summary>What an answer says about a question.</summary>
internal enum ProbeVerdict
{
    /// <summary>The server took the request.</summary>
    Yes,

    /// <summary>The server understood and refused it, or failed at it and at nothing else.</summary>
    No,

    /// <summary>Nothing was learned: not reached, not in time, not now, not with this key. To be asked again later.</summary>
    Unknown,
}
