using Gateway.Egress;

namespace Gateway.Tools.Mcp;

/// <summary>
/// An MCP server as one request, or the operator's configuration, declares it; valid, and let through by the egress guard. A class and no record:
/// nothing may print its headers or the query of its URL.
/// </summary>
internal sealed class McpServer
{
    /// <summary>The tenant whose request it is: tenants never share a connection.</summary>
    public required string Tenant { get; init; }

    /// <summary>The server's name in the request.</summary>
    public required string Label { get; init; }

    public required Uri Url { get; init; }

    /// <summary>What is tried first; a server that only speaks the other is spoken to in that.</summary>
    public required McpTransport Transport { get; init; }

    /// <summary>Sent with each request. Secret: <c>Authorization</c> is among them.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Where its connections may go: the tenant's scope, or the operator's for a server of the configuration.</summary>
    public required EgressScope Egress { get; init; }
}
