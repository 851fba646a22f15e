namespace PythonTool;

/// <summary>The section <c>PythonTool</c>. Every limit is for one sandbox, with all its processes, unless told otherwise.</summary>
internal sealed class PythonToolOptions
{
    public const string Section = "PythonTool";

    /// <summary>Where MCP (<c>/mcp</c>) and <c>/health</c> are served: an http address. Default <c>http://127.0.0.1:8765</c>.</summary>
    public string Address { get; set; } = "http://127.0.0.1:8765";

    /// <summary>The key that clients send as <c>Authorization: Bearer</c>. Default none: every client is served, on loopback only.</summary>
    public string Key { get; set; } = "";

    /// <summary>Whether an address other than loopback may be served without a key. Default false.</summary>
    public bool AllowWithoutKey { get; set; }

    /// <summary>The bubblewrap executable. Default <c>/usr/bin/bwrap</c>.</summary>
    public string Bubblewrap { get; set; } = "/usr/bin/bwrap";

    /// <summary>The Python executable, under <c>/usr</c> or one of <see cref="ReadOnlyPaths"/>. Default <c>/usr/bin/python3</c>.</summary>
    public string Python { get; set; } = "/usr/bin/python3";

    /// <summary>Whom sandboxes run as when the server runs as root: the kernel does not limit the processes of root. Default <c>nobody</c>.</summary>
    public string User { get; set; } = "nobody";

    /// <summary>Further files and folders of the host that code may read, such as a virtual environment. Default none.</summary>
    public IList<string> ReadOnlyPaths { get; } = [];

    /// <summary>The most sandboxes at once, idle sessions among them. 1 to 1,000; default 16.</summary>
    public int Sandboxes { get; set; } = 16;

    /// <summary>How long a session is kept after its last call. 1 s to 1 day; default 20 minutes.</summary>
    public TimeSpan SessionIdle { get; set; } = TimeSpan.FromMinutes(20);

    /// <summary>The longest a call may take. 1 s to 1 hour; default 30 s.</summary>
    public TimeSpan CallTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The most CPU time a call may use, over all its processes. 1 s to 1 day; default 30 s.</summary>
    public TimeSpan CpuTime { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>The longest code of a call, in bytes of UTF-8. 1 KiB to 16 MiB; default 256 KiB.</summary>
    public int CodeBytes { get; set; } = 256 * 1024;

    /// <summary>
    /// The most a call may print, in bytes over both streams; the rest is cut. The result and a traceback are cut at the same length each.
    /// 1 KiB to 16 MiB; default 256 KiB.
    /// </summary>
    public int OutputBytes { get; set; } = 256 * 1024;

    /// <summary>The most memory, in bytes: of addresses for one process, and of pages over all. 64 MiB to 1 TiB; default 512 MiB.</summary>
    public long MemoryBytes { get; set; } = 512L * 1024 * 1024;

    /// <summary>The size of each of <c>/sandbox</c>, <c>/tmp</c> and <c>/dev/shm</c>, which are in memory, in bytes. 1 MiB to 1 TiB; default 64 MiB.</summary>
    public long DiskBytes { get; set; } = 64L * 1024 * 1024;

    /// <summary>The most files in each of those. 100 to 10,000,000; default 10,000.</summary>
    public int Files { get; set; } = 10_000;

    /// <summary>The most open files of one process. 32 to 65,536; default 256.</summary>
    public int OpenFiles { get; set; } = 256;

    /// <summary>The most processes and threads. 4 to 4,096; default 32.</summary>
    public int Processes { get; set; } = 32;
}
