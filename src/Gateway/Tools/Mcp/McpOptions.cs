namespace Gateway.Tools.Mcp;

/// <summary>Connections to MCP servers (see <see href="design/mcp.md">MCP</see>).</summary>
internal sealed class McpOptions
{
    /// <summary>To connect and agree on the protocol, trying both transports.</summary>
    /// <value>0.1 seconds to 5 minutes</value>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>To read the list of a server's tools, all pages.</summary>
    /// <value>0.1 seconds to 5 minutes</value>
    public TimeSpan ListTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>For one call of a tool.</summary>
    /// <value>0.1 seconds to 1 hour</value>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a connection that nobody uses is kept.</summary>
    /// <value>1 second to 1 hour</value>
    public TimeSpan IdleTime { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How old a connection may become; after it no new request takes it.</summary>
    /// <value>1 second to 1 day</value>
    public TimeSpan ConnectionLife { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How old a list of tools may become before it is read again; a server that says its list has changed is asked at once.
    /// </summary>
    /// <value>1 second to 1 day</value>
    public TimeSpan ListAge { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The most connections kept for further requests. When there are so many, the one unused for longest is closed; when all are in use, a
    /// request beyond makes one of its own and closes it afterwards.
    /// </summary>
    /// <value>1 to 100,000</value>
    public int MaxConnections { get; set; } = 256;

    /// <summary>The most tools of one server; a longer list is a failure, since nobody can say which to leave out.</summary>
    /// <value>1 to 10,000</value>
    public int MaxTools { get; set; } = 512;

    /// <summary>The most bytes of names, descriptions and schemas of one server's tools; a longer list is a failure.</summary>
    /// <value>1,024 to 64 MiB</value>
    public int ListBytes { get; set; } = 1024 * 1024;
}
