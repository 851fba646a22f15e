namespace Gateway.Protocol.Responses;

/// <summary>What a request may ask the gateway to run, and how the dialect reads it.</summary>
public sealed record ServerToolRules
{
    /// <summary><c>server_label</c> may be missing: it is derived from the server's address.</summary>
    public bool LabelIsOptional { get; init; }

    /// <summary>What a missing <c>require_approval</c> means.</summary>
    public bool ApprovalByDefault { get; init; } = true;

    /// <summary>The most MCP servers in one request. More answer 400 <c>array_above_max_length</c>. Default: any number.</summary>
    public int MaxServers { get; init; } = int.MaxValue;

    /// <summary>The operator has configured a server of this label: it needs no <c>server_url</c>.</summary>
    public Func<string, bool> IsNamedServer { get; init; } = static _ => false;

    /// <summary>The tools are those of a response, which were checked when it was made.</summary>
    internal static ServerToolRules Echo { get; } = new() { LabelIsOptional = true, IsNamedServer = static _ => true, IsEcho = true };

    internal bool IsEcho { get; private init; }

    /// <summary>The hosted tools that the operator has bound, by their <c>type</c>, as the model sees them.</summary>
    public IReadOnlyDictionary<string, Tool> Hosted { get; init; } = new Dictionary<string, Tool>();
}
