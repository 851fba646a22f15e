using ModelContextProtocol.AspNetCore;

namespace Gateway.Testing.Mcp;

/// <summary>How <see cref="TestMcpServer"/> is served.</summary>
public sealed record TestMcpServerOptions
{
    /// <summary>Serves streamable HTTP at <c>/mcp</c>.</summary>
    public bool StreamableHttp { get; init; } = true;

    /// <summary>Serves the legacy HTTP+SSE transport at <c>/sse</c> and <c>/message</c>. A stateless server never does.</summary>
    public bool LegacySse { get; init; } = true;

    /// <summary>
    /// What streamable HTTP keeps between requests: sessions, which need <c>initialize</c> (the default); nothing; or sessions
    /// for clients that initialize, and nothing for those of the 2026-07-28 revision of the protocol.
    /// </summary>
    public HttpServerSessionMode SessionMode { get; init; } = HttpServerSessionMode.Stateful;

    /// <summary>The port to listen on; 0 for a free one.</summary>
    public int Port { get; init; }
}
