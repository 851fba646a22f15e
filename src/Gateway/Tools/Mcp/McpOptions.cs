namespace Gateway.Tools.Mcp;

/// <summary>Connections to MCP servers: <c>Gateway:Tools:Mcp</c>.</summary>
internal sealed class McpOptions
{
    /// <summary>To connect and agree on the protocol, trying both transports. 0.1 seconds to 5 minutes; default 10 seconds.</summary>
    public TimeSpan ConnectTimeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>To read the list of a server's tools, all pages. 0.1 seconds to 5 minutes; default 15 seconds.</summary>
    public TimeSpan ListTimeout { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>For one call of a tool. 0.1 seconds to 1 hour; default 1 minute.</summary>
    public TimeSpan CallTimeout { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How long a connection that nobody uses is kept. 1 second to 1 hour; default 1 minute.</summary>
    public TimeSpan IdleTime { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>How old a connection may become; after it no new request takes it. 1 second to 1 day; default 10 minutes.</summary>
    public TimeSpan ConnectionLife { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>
    /// How old a list of tools may become before it is read again; a server that says its list has changed is asked at once. 1 second to
    /// 1 day; default 1 minute.
    /// </summary>
    public TimeSpan ListAge { get; set; } = TimeSpan.FromMinutes(1);

    /// <summary>
    /// The most connections kept for further requests. When there are so many, the one unused for longest is closed; when all are in use, a
    /// request beyond makes one of its own and closes it afterwards. 1 to 100,000; default 256.
    /// </summary>
    public int MaxConnections { get; set; } = 256;

    /// <summary>The most tools of one server; a longer list is a failure, since nobody can say which to leave out. 1 to 10,000; default 512.</summary>
    public int MaxTools { get; set; } = 512;

    /// <summary>The most bytes of names, descriptions and schemas of one server's tools. 1,024 to 64 MiB; default 1 MiB.</summary>
    public int ListBytes { get; set; } = 1024 * 1024;
}
