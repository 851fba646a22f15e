using Gateway.Egress;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.Options;

namespace Gateway.Tools;

/// <summary>The operator's own MCP servers, which requests name by label and never see the credentials of.</summary>
internal sealed class NamedServers
{
    private readonly Dictionary<string, NamedServer> _servers = new(StringComparer.Ordinal);

    public NamedServers(IOptions<ToolsOptions> options, EgressGuard guard)
    {
        foreach (var (label, server) in options.Value.Servers)
        {
            _servers[label] = new NamedServer(new McpServer
            {
                // One operator, one set of credentials: the connections serve every tenant.
                Tenant = string.Empty,
                Label = label,
                Url = new Uri(server.Url!),
                Transport = server.Transport,
                Headers = server.ReadHeaders(),
                Egress = guard.Operator,
            }, server.Requests, server.AllowedTools is { Count: > 0 } allowed ? allowed : null);
        }
    }

    public NamedServer? Find(string label) => _servers.GetValueOrDefault(label);

    /// <summary>Requests may name the server by this label.</summary>
    public bool IsForRequests(string label) => Find(label) is { ForRequests: true };
}
