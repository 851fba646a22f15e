using System.Net;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>All processes of a run. Disposing it ends them and deletes their data.</summary>
internal sealed class Fleet : IAsyncDisposable
{
    private const int SeveralServers = 4;
    private static readonly TimeSpan ReadyTimeout = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ResumeWindow = TimeSpan.FromMinutes(1);

    private readonly RunOptions _options;
    private readonly DirectoryInfo _data;
    private readonly List<ChildProcess> _processes = [];
    private readonly List<Target> _targets = [];
    private readonly List<ModelServer> _modelServers = [];

    private Fleet(RunOptions options)
    {
        _options = options;
        _data = options.DataFolder is { } folder
            ? Directory.CreateDirectory(Path.Combine(Path.GetFullPath(folder), $"gateway-load-{Environment.ProcessId}"))
            : Directory.CreateTempSubdirectory("gateway-load-");
    }

    /// <summary>In the order of the options.</summary>
    public IReadOnlyList<Target> Targets => _targets;

    /// <summary>The base address of the model server; null until it runs.</summary>
    public Uri? ModelServer { get; private set; }

    /// <summary>The base address of the tool server; null when no scenario has tools.</summary>
    public Uri? ToolServer { get; private set; }

    /// <summary>The servers of the one upstream of targets with <see cref="Target.Several"/>; empty when there is no such target.</summary>
    public IReadOnlyList<ModelServer> ModelServers => _modelServers;

    /// <summary>The connection string of Redis; null until a target uses it.</summary>
    public string? RedisConnection { get; private set; }

    public static async Task<Fleet> StartAsync(RunOptions options, IEnumerable<string> targets, CancellationToken cancellationToken)
    {
        var fleet = new Fleet(options);
        try
        {
            var mock = await fleet.StartMockAsync(cancellationToken);
            fleet.ModelServer = mock;
            if (options.Scenarios.Contains(Scenario.Tools))
            {
                fleet.ToolServer = await fleet.StartToolServerAsync(cancellationToken);
            }

            foreach (var target in targets)
            {
                await fleet.StartTargetAsync(target, mock, cancellationToken);
            }

            return fleet;
        }
        catch
        {
            await fleet.DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var target in _targets)
        {
            target.Client.Dispose();
        }

        // Last started, first ended: nobody loses what it depends on. All are ended before any is waited for.
        _processes.Reverse();
        _processes.ForEach(process => process.End());
        foreach (var process in _processes)
        {
            await process.DisposeAsync();
        }

        foreach (var server in _modelServers)
        {
            await server.DisposeAsync();
        }

        _data.Delete(recursive: true);
    }

    private async Task<Uri> StartMockAsync(CancellationToken cancellationToken)
    {
        var options = new MockOptions(
            FreePort.Find(), _options.TextBytes, _options.Deltas, _options.PacedDeltas, _options.Interval, _options.ModelWait, _options.ToolWait);
        var address = new Uri($"http://127.0.0.1:{options.Port}");
        var process = StartSelf("mock", options.ToArguments());
        using var client = new LoadClient();
        await process.WhenReadyAsync(AnswersAt(client, new Uri(address, "/v1/models")), ReadyTimeout, cancellationToken);
        return address;
    }

    private async Task<Uri> StartToolServerAsync(CancellationToken cancellationToken)
    {
        var options = new ToolServerOptions(FreePort.Find());
        var address = new Uri($"http://127.0.0.1:{options.Port}");
        var process = StartSelf("tool-server", options.ToArguments());
        using var client = new LoadClient();
        await process.WhenReadyAsync(AnswersAt(client, new Uri(address, Mock.ToolServer.CountersPath)), ReadyTimeout, cancellationToken);
        return address;
    }

    private async Task StartTargetAsync(string name, Uri mock, CancellationToken cancellationToken)
    {
        var isYarp = name is Target.Yarp or Target.YarpAgain;
        while (Target.HasSeveralServers(name) && _modelServers.Count < SeveralServers)
        {
            _modelServers.Add(await Mock.ModelServer.StartAsync(FreePort.Find(), _options.PrefixBlocks, _options.TextBytes, cancellationToken));
        }

        var redis = Target.UsesRedis(name) ? RedisConnection ??= _options.RedisConnection ?? await StartRedisAsync(cancellationToken) : null;
        var port = FreePort.Find();
        var process = isYarp
            ? StartSelf("yarp", new YarpOptions(port, mock.OriginalString).ToArguments())
            : StartGateway(name, port, mock, redis);
        var target = new Target(name, process, new Uri($"http://127.0.0.1:{port}"), new LoadClient());
        _targets.Add(target);
        var ready = new Uri(target.Address, isYarp ? "/v1/models" : "/health/ready");
        await process.WhenReadyAsync(AnswersAt(target.Client, ready), ReadyTimeout, cancellationToken);
    }

    private ChildProcess StartSelf(string verb, IReadOnlyList<string> arguments) =>
        Add(ChildProcess.Start(verb, Path.Combine(AppContext.BaseDirectory, "Gateway.Load.dll"), [verb, .. arguments]));

    private ChildProcess StartGateway(string name, int port, Uri mock, string? redis)
    {
        var settings = new Dictionary<string, string>
        {
            ["ASPNETCORE_URLS"] = $"http://127.0.0.1:{port}",
            ["Gateway__Upstreams__mock__Models__0"] = "mock-json",
            ["Gateway__Upstreams__mock__Models__1"] = "mock-burst",
            ["Gateway__Upstreams__mock__Models__2"] = "mock-paced",
            ["Gateway__Upstreams__mock__Models__3"] = WaitingModel.Waits,
            ["Gateway__Upstreams__mock__Models__4"] = WaitingModel.Instant,
            ["Gateway__Store__Path"] = Path.Combine(_data.FullName, name),
        };
        Uri[] servers = Target.HasSeveralServers(name) ? [.. _modelServers.Select(server => server.Address)] : [mock];
        for (var i = 0; i < servers.Length; i++)
        {
            settings[$"Gateway__Upstreams__mock__Addresses__{i}"] = new Uri(servers[i], "/v1").AbsoluteUri;
        }

        if (servers.Length > 1)
        {
            // Nothing but the scenario's own calls is counted at the servers.
            settings["Gateway__Probing__Enabled"] = "false";
        }

        if (redis is not null)
        {
            settings["Gateway__Store__Redis"] = redis;
        }

        if (name.EndsWith(Target.Resumable, StringComparison.Ordinal))
        {
            settings["Gateway__Store__ResumeWindow"] = ResumeWindow.ToString("c");
        }

        if (ToolServer is { } toolServer)
        {
            settings["Gateway__Tools__AllowedHosts__0"] = toolServer.Authority;

            // The pool renews connections and lists by age: not in the midst of a measurement of what it saves.
            settings["Gateway__Tools__Mcp__IdleTime"] = "01:00:00";
            settings["Gateway__Tools__Mcp__ConnectionLife"] = "1.00:00:00";
            settings["Gateway__Tools__Mcp__ListAge"] = "1.00:00:00";
        }

        return Add(ChildProcess.Start($"gateway ({name})", _options.Gateway is { } given ? Path.GetFullPath(given) : BuiltGateway(), [], settings));
    }

    private async Task<string> StartRedisAsync(CancellationToken cancellationToken)
    {
        var port = FreePort.Find();
        var folder = _data.CreateSubdirectory("redis-server").FullName;
        var process = Add(ChildProcess.Start(
            "redis-server",
            "redis-server",
            ["--port", $"{port}", "--bind", "127.0.0.1", "--dir", folder, "--appendonly", "yes", "--save", string.Empty]));
        await process.WhenReadyAsync(
            _ => Task.FromResult(process.LastOutput.Contains("Ready to accept connections", StringComparison.Ordinal)), ReadyTimeout, cancellationToken);
        return $"127.0.0.1:{port}";
    }

    private ChildProcess Add(ChildProcess process)
    {
        _processes.Add(process);
        return process;
    }

    private static Func<CancellationToken, Task<bool>> AnswersAt(LoadClient client, Uri uri) =>
        async cancellationToken => await client.GetStatusAsync(uri, cancellationToken) == HttpStatusCode.OK;

    private static string BuiltGateway()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Gateway.sln")))
            {
                var file = Path.Combine(folder.FullName, "src/Gateway/bin/Release/net10.0/gateway.dll");
                return File.Exists(file) ? file : throw new LoadException($"{file} is not there: dotnet build -c Release src/Gateway");
            }
        }

        throw new LoadException("Not inside the repository: name the gateway's executable with --gateway.");
    }
}
