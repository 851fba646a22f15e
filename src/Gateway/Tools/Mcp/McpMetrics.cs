using System.Diagnostics;
using System.Diagnostics.Metrics;
using Gateway.Telemetry;

namespace Gateway.Tools.Mcp;

/// <summary>What operators see of MCP servers: never which server, tenant or tool, since clients name those.</summary>
internal sealed class McpMetrics
{
    private readonly Counter<long> _rents;
    private readonly UpDownCounter<long> _connections;
    private readonly Counter<long> _failures;

    public McpMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(TelemetryNames.Gateway);
        _rents = meter.CreateCounter<long>("gateway.mcp.pool.requests", "{request}", "Lists and calls that asked the pool for a connection: hit or miss.");
        _connections = meter.CreateUpDownCounter<long>("gateway.mcp.connections", "{connection}", "Open connections to MCP servers.");
        _failures = meter.CreateCounter<long>("gateway.mcp.failures", "{failure}", "Lists and calls that failed, by operation and kind of failure.");
    }

    /// <summary>A connection was there already, or has to be made.</summary>
    public void Rented(bool hit) => _rents.Add(1, new KeyValuePair<string, object?>("outcome", hit ? "hit" : "miss"));

    public void ConnectionOpened() => _connections.Add(1);

    public void ConnectionClosed() => _connections.Add(-1);

    /// <summary>A list or a call gave no result.</summary>
    /// <param name="operation">list or call.</param>
    /// <param name="kind">What failed.</param>
    public void Failed(string operation, McpFailureKind kind)
    {
        if (_failures.Enabled)
        {
            var tags = new TagList { { "operation", operation }, { TelemetryNames.ErrorType, kind.ToString() } };
            _failures.Add(1, tags);
        }
    }
}
