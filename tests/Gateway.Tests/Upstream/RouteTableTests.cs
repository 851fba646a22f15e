using System.Net;
using Gateway.Protocol.Translation;
using Gateway.Testing;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

public sealed class RouteTableTests
{
    [Fact]
    public async Task Find_ExactNamesGoBeforeGlobsAndThoseBeforeDiscovered()
    {
        await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, "small", "org/one", "other");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:a:Address"] = server.Address,
            ["Gateway:Upstreams:b:Address"] = server.Address,
            ["Gateway:Upstreams:b:Models:0"] = "org/*",
            ["Gateway:Upstreams:c:Address"] = server.Address,
            ["Gateway:Upstreams:c:Models:0"] = "small",
            ["Gateway:Upstreams:c:Models:1"] = "big=org/very-big",
            ["Gateway:Upstreams:d:Address"] = server.Address,
            ["Gateway:Upstreams:d:Models:0"] = "small",
        });
        await host.Routes.WaitForFirstDiscoveryAsync(default);

        Assert.Equal(("c", "small"), Place("small"));
        Assert.Equal(("c", "org/very-big"), Place("big"));
        Assert.Equal(("b", "org/one"), Place("org/one"));
        Assert.Equal(("b", "org/unheard-of"), Place("org/unheard-of"));
        Assert.Equal(("a", "other"), Place("other"));
        Assert.Null(host.Routes.Find("unknown"));
        Assert.Null(host.Routes.Find("Small"));
        Assert.Equal([("big", "c"), ("org/one", "b"), ("other", "a"), ("small", "c")], host.Routes.List().Select(m => (m.Id, m.Upstream)));

        (string, string)? Place(string model) => host.Routes.Find(model)?.First is { } r ? (r.Upstream, r.Model) : null;
    }

    [Fact]
    public async Task Find_SeveralServeTheModel_AreAllGivenByPriorityThenName()
    {
        await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, "org/known");
        await using var other = await FakeServer.StartAsync(_ => Task.CompletedTask, "org/more");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:a:Address"] = server.Address,
            ["Gateway:Upstreams:a:Models:0"] = "chat=small",
            ["Gateway:Upstreams:a:Models:1"] = "org/*",
            ["Gateway:Upstreams:a:Priority"] = "1",
            ["Gateway:Upstreams:b:Address"] = other.Address,
            ["Gateway:Upstreams:b:Models:0"] = "chat",
            ["Gateway:Upstreams:b:Models:1"] = "org/*",
            ["Gateway:Upstreams:c:Address"] = other.Address,
            ["Gateway:Upstreams:c:Models:0"] = "ch*",
            ["Gateway:Upstreams:d:Address"] = other.Address,
            ["Gateway:Upstreams:d:Models:0"] = "chat=other",
        });
        await host.Routes.WaitForFirstDiscoveryAsync(default);

        Assert.Equal([("b", "chat", 0), ("d", "other", 0), ("a", "small", 1)], All("chat"));
        Assert.Equal([("c", "chap", 0)], All("chap"));
        // A glob lets everything through: those that have the model go before those that may not.
        Assert.Equal([("a", "org/known", 1)], All("org/known"));
        Assert.Equal([("b", "org/more", 0)], All("org/more"));
        Assert.Equal([("b", "org/new", 0), ("a", "org/new", 1)], All("org/new"));
        Assert.Equal("b", host.Routes.List().Single(m => m.Id == "chat").Upstream);

        IEnumerable<(string, string, int)> All(string model) => host.Routes.Find(model)!.All.Select(r => (r.Upstream, r.Model, r.Priority));
    }

    [Fact]
    public async Task Remember_ChangesTheProfileForLaterRequestsOnly()
    {
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing());
        var before = host.Routes.Find("m")!.First;

        host.Routes.Remember(before, p => p with { StreamOptions = false });

        Assert.True(before.Profile.StreamOptions);
        Assert.False(host.Routes.Find("m")!.First.Profile.StreamOptions);
    }

    [Fact]
    public async Task Remember_AnotherRequestLearnsTheSameAtTheSameTime_FindsIt()
    {
        var other = new DuringLog(3011);
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings(UpstreamHost.Refusing()), s => s.AddSingleton<ILoggerProvider>(other));
        var route = host.Routes.Find("m")!.First;
        bool? found = null;
        other.Act = () =>
        {
            host.Routes.Remember(route, p => p with { StreamOptions = false });
            found = host.Routes.Find("m")!.First.Profile.StreamOptions;
        };

        host.Routes.Remember(route, p => p with { StreamOptions = false });

        Assert.False(found);
    }

    [Fact]
    public async Task FindAsync_JustAfterTheStart_WaitsForTheFirstList()
    {
        var release = new TaskCompletionSource();
        await using var slow = new SlowList(release.Task, "late");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?> { ["Gateway:Upstreams:main:Address"] = slow.Address });

        var finding = host.Routes.FindAsync("late", default).AsTask();
        Assert.False(finding.IsCompleted);
        release.SetResult();

        Assert.Equal("main", (await finding.WaitAsync(TimeSpan.FromSeconds(5)))!.First.Upstream);
    }

    [Fact]
    public async Task Discovery_JoinsAllDestinationsAndKeepsTheListOfOneThatIsDown()
    {
        var one = await FakeServer.StartAsync(_ => Task.CompletedTask, "a", "shared");
        await using var two = await FakeServer.StartAsync(_ => Task.CompletedTask, "b", "shared");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:main:Addresses:0"] = one.Address,
            ["Gateway:Upstreams:main:Addresses:1"] = two.Address,
            ["Gateway:Discovery:Interval"] = "00:00:00.050",
        });
        await host.Routes.WaitForFirstDiscoveryAsync(default);
        Assert.Equal(["a", "b", "shared"], host.Routes.List().Select(m => m.Id));

        await one.DisposeAsync();
        // Two further rounds have certainly asked the closed server when a changed configuration was seen.
        host.Reload(("Gateway:Upstreams:extra:Address", two.Address), ("Gateway:Upstreams:extra:Models:0", "x"));
        await Until.TrueAsync(() => host.Routes.Find("x") is not null);

        Assert.Equal(["a", "b", "shared", "x"], host.Routes.List().Select(m => m.Id));
    }

    [Fact]
    public async Task Discovery_ServerThatComesUpLater_IsFound()
    {
        var up = false;
        await using var server = new SwitchableList(() => Volatile.Read(ref up), "m1");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:main:Address"] = server.Address,
            ["Gateway:Discovery:RetryInterval"] = "00:00:00.020",
        });
        await host.Routes.WaitForFirstDiscoveryAsync(default);
        Assert.Null(host.Routes.Find("m1"));

        Volatile.Write(ref up, true);

        await Until.TrueAsync(() => host.Routes.Find("m1") is not null);
    }

    [Fact]
    public async Task Reload_AddsChangesAndRemovesUpstreams()
    {
        await using var one = await FakeServer.AnswerAsync(200, "1");
        await using var two = await FakeServer.AnswerAsync(200, "2");
        await using var host = await UpstreamHost.StartAsync(one.Address);
        host.Routes.Remember(host.Routes.Find("m")!.First, p => p with { StreamOptions = false });

        host.Reload(("Gateway:Upstreams:next:Address", two.Address), ("Gateway:Upstreams:next:Models:0", "n"));
        await Until.TrueAsync(async () => await AnswerOfAsync("n") == "2");
        Assert.Equal("1", await AnswerOfAsync("m"));
        Assert.False(host.Routes.Find("m")!.First.Profile.StreamOptions);

        host.Reload(("Gateway:Upstreams:main:Addresses:0", two.Address));
        await Until.TrueAsync(async () => await AnswerOfAsync("m") == "2");
        Assert.True(host.Routes.Find("m")!.First.Profile.StreamOptions);

        host.Reload(("Gateway:Upstreams:next:Models:0", "n=other"), ("Gateway:Upstreams:main:Profile", "no-such-profile"));
        Assert.Equal("n", host.Routes.Find("n")!.First.Model);

        host.Reload(("Gateway:Upstreams:main:Profile", null), ("Gateway:Upstreams:next:Models:0", "k"));
        Assert.Null(host.Routes.Find("n"));
        Assert.NotNull(host.Routes.Find("k"));

        async Task<string> AnswerOfAsync(string model)
        {
            await using var reply = await host.Chat.SendAsync(
                ChatCall.To(host.Routes.Find(model)!.First, "{}"u8.ToArray(), stream: false), default);
            return await new StreamReader(reply.Body).ReadToEndAsync();
        }
    }

    [Theory]
    [InlineData("MaxConcurrentRequests", "5", false)]
    [InlineData("Models:1", "more", false)]
    [InlineData("Addresses:1", "http://127.0.0.1:2/v1", true)]
    [InlineData("Profile", "vllm", true)]
    [InlineData("ProfileOptions:verbosity", "forward", true)]
    public async Task Reload_KeepsWhatRefusalsTaught_AsLongAsTheServersAreSpokenToInTheSameWay(string key, string value, bool isForgotten)
    {
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing());
        host.Routes.Remember(host.Routes.Find("m")!.First, p => p with { StreamOptions = false });

        host.Reload(($"Gateway:Upstreams:main:{key}", value));

        Assert.Equal(isForgotten, host.Routes.Find("m")!.First.Profile.StreamOptions);
        // A later profile is made of it too.
        var upstream = host.Get<UpstreamRegistry>().Find("main")!;
        host.Routes.Apply(upstream, RouteProfile.Generic);
        Assert.Equal(isForgotten, upstream.Profile.StreamOptions);
    }

    [Fact]
    public async Task Remember_WhileAReloadWaitsForNames_HoldsAtOnceAndAfterIt()
    {
        var names = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings(UpstreamHost.Refusing()), s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => names.Task));
        host.Reload(
            ("Gateway:Upstreams:main:Weight", "2"), ("Gateway:Upstreams:next:Address", "http://models.internal:1/v1"), ("Gateway:Upstreams:next:Models:0", "n"),
            ("Gateway:Upstreams:next:Health:Path", ""));
        Assert.Null(host.Routes.Find("n"));

        host.Routes.Remember(host.Routes.Find("m")!.First, p => p with { StreamOptions = false });

        Assert.False(host.Routes.Find("m")!.First.Profile.StreamOptions);
        names.SetResult([IPAddress.Loopback]);
        await Until.TrueAsync(() => host.Routes.Find("n") is not null);
        Assert.False(host.Routes.Find("m")!.First.Profile.StreamOptions);
    }

    [Fact]
    public async Task Reload_OtherServersWhoseNamesAreStillLookedUp_TheFormerOnesAreNotAskedForTheirModels()
    {
        var names = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var before = await FakeServer.StartAsync(_ => Task.CompletedTask, "old");
        await using var after = await FakeServer.StartAsync(_ => Task.CompletedTask, "new");
        var asked = 0;
        await using var other = new SwitchableList(() => Interlocked.Increment(ref asked) > 0, "other");
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?>
            {
                ["Gateway:Upstreams:main:Address"] = before.Address,
                ["Gateway:Upstreams:other:Address"] = other.Address,
                ["Gateway:Upstreams:other:Health:Path"] = "",
                ["Gateway:Discovery:RetryInterval"] = "00:00:00.020",
            },
            s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => names.Task));
        await Until.TrueAsync(() => host.Routes.Find("old") is not null && host.Routes.Find("other") is not null);

        host.Reload(("Gateway:Upstreams:main:Address", $"http://models.internal:{after.Port}/v1"), ("Gateway:Upstreams:other:Weight", "2"));
        // A round that might have asked both.
        await Until.TrueAsync(() => Volatile.Read(ref asked) == 2);
        Assert.NotNull(host.Routes.Find("old"));
        names.SetResult([IPAddress.Loopback, IPAddress.Parse("127.0.0.2")]);

        await Until.TrueAsync(() => host.Routes.Find("new") is not null);
        Assert.Null(host.Routes.Find("old"));
    }

    [Fact]
    public async Task Start_WithWrongConfiguration_FailsNamingKeyAndValue()
    {
        var settings = UpstreamHost.Settings("not-a-url");

        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => UpstreamHost.StartAsync(settings));

        Assert.Contains("Gateway:Upstreams:main:Addresses:0 is 'not-a-url'", error.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Gateway:Discovery:Interval", "00:00:00")]
    [InlineData("Gateway:Routing:SlowStart", "02:00:00")]
    [InlineData("Gateway:Routing:RetryBudget:Ratio", "1.5")]
    [InlineData("Gateway:Routing:RetryBudget:PerSecond", "-1")]
    [InlineData("Gateway:Passthrough:Paths:0", "../admin")]
    [InlineData("Gateway:Passthrough:Paths:0", "responses/x")]
    public async Task Start_WithWrongOptions_FailsNamingKeyAndValue(string key, string value)
    {
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings[key] = value;

        var error = await Assert.ThrowsAnyAsync<OptionsValidationException>(() => UpstreamHost.StartAsync(settings));

        Assert.Contains($"{key} is '{value}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task KeyFile_IsReadAgain()
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, "first\n");
            await using var server = await FakeServer.AnswerAsync(200, "{}");
            var settings = UpstreamHost.Settings(server.Address);
            settings["Gateway:Upstreams:main:ApiKeyFile"] = file;
            settings["Gateway:Discovery:Interval"] = "00:00:00.020";
            await using var host = await UpstreamHost.StartAsync(settings);
            await using (await host.SendAsync())
            {
            }

            Assert.Equal("Bearer first", server.Requests.Last().Headers["Authorization"]);
            await File.WriteAllTextAsync(file, "second");

            await Until.TrueAsync(async () =>
            {
                await using var reply = await host.SendAsync();
                return server.Requests.Last().Headers["Authorization"] == "Bearer second";
            });
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task KeyFile_CanNotBeUsed_IsToldOnceUntilItCan()
    {
        using var logs = new CollectedLogs();
        using var folder = new TemporaryFolder();
        var time = new FakeTimeProvider();
        var (file, other) = (Path.Combine(folder.Path, "main"), Path.Combine(folder.Path, "other"));
        await WriteAsync(file, "first");
        await WriteAsync(other, "first");
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings["Gateway:Upstreams:main:ApiKeyFile"] = file;
        settings["Gateway:Upstreams:other:ApiKeyFile"] = other;
        // It has no list, and is asked again sooner for that.
        settings["Gateway:Upstreams:other:Address"] = UpstreamHost.Refusing();
        settings["Gateway:Upstreams:other:Health:Path"] = "";
        await using var host = await UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(time).AddSingleton<ILoggerProvider>(logs));

        await WriteAsync(file, "");
        await ReadAsync(() => Told() == 1);
        foreach (var key in (string[])["second", "third", "fourth"])
        {
            await WriteAsync(other, key);
            await ReadAsync(() => KeyOf("other") == key);
        }

        Assert.Equal(1, Told());
        await WriteAsync(file, "second");
        await ReadAsync(() => KeyOf("main") == "second");
        await WriteAsync(file, "");
        await ReadAsync(() => Told() == 2);

        int Told() => logs.All.Count(log => log.EventId.Id == 3007);
        string? KeyOf(string name) => host.Get<UpstreamRegistry>().Find(name)!.Authorization!.Parameter;
        Task ReadAsync(Func<bool> condition) => Until.TrueAsync(() =>
        {
            time.Advance(TimeSpan.FromSeconds(30));
            return condition();
        });

        // In one step, as a secret is renewed: half a write is another reason.
        static async Task WriteAsync(string path, string key)
        {
            await File.WriteAllTextAsync(path + ".new", key);
            File.Move(path + ".new", path, overwrite: true);
        }
    }

    /// <summary>Does something while an event is written to the log.</summary>
    private sealed class DuringLog(int id) : ILoggerProvider, ILogger
    {
        public Action? Act { get; set; }

        public ILogger CreateLogger(string categoryName) => this;

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (eventId.Id == id)
            {
                Act?.Invoke();
            }
        }

        public void Dispose()
        {
        }
    }

    /// <summary>A server whose list of models waits for a signal.</summary>
    private sealed class SlowList(Task release, string model) : IAsyncDisposable
    {
        private readonly RawServer _server = new((_, _) =>
        {
            release.Wait(TimeSpan.FromSeconds(10));
            return RawServer.Json($$"""{"data":[{"id":"{{model}}"}]}""");
        });

        public string Address => _server.Address;

        public ValueTask DisposeAsync() => _server.DisposeAsync();
    }

    /// <summary>A server that hangs up until it is switched on.</summary>
    private sealed class SwitchableList(Func<bool> isUp, string model) : IAsyncDisposable
    {
        private readonly RawServer _server = new((_, _) => isUp() ? RawServer.Json($$"""{"data":[{"id":"{{model}}"}]}""") : null);

        public string Address => _server.Address;

        public ValueTask DisposeAsync() => _server.DisposeAsync();
    }
}
