using System.Text;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>
/// Model servers that refuse, break, fail, throttle, stall, restart and change their models while many calls of all kinds come: as long as one that is well
/// is left within three attempts, no client sees anything of it.
/// </summary>
public sealed class ServerFaultTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int Servers = 5;
    private const int CallsAtOnce = 60;
    private static readonly TimeSpan FirstByteTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Longer than any time that a server is left alone for, and than what counts as soon after it.</summary>
    private static readonly TimeSpan LongTime = TimeSpan.FromMinutes(6);

    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private readonly ScriptedUpstream[] _servers = new ScriptedUpstream[Servers];
    private int _calls;

    /// <summary>What a server does to its calls.</summary>
    public enum Fault
    {
        Refuses,
        Breaks,
        BreaksBehindTheHeaders,
        Fails,
        Throttles,
        Stalls,
    }

    [Theory]
    [InlineData(Fault.Refuses, Fault.Throttles)]
    [InlineData(Fault.Breaks, Fault.Refuses)]
    [InlineData(Fault.BreaksBehindTheHeaders, Fault.Throttles)]
    [InlineData(Fault.Fails, Fault.Refuses)]
    [InlineData(Fault.Throttles, Fault.Refuses)]
    [InlineData(Fault.Stalls, Fault.Throttles)]
    public async Task OneServerAfterTheOther_WhileAnotherIsOut_IsSeenByNoClient(Fault fault, Fault other)
    {
        await StartAsync();
        for (var server = 0; server < Servers; server++)
        {
            var second = (server + 2) % Servers;
            await BreakAsync(second, other);
            while (!IsLeftAlone(second))
            {
                await AskAsync(isQuiet: false);
            }

            await BreakAsync(server, fault);
            await AskAllAsync(server, fault);
            await MendAsync(server);
            await MendAsync(second);

            var before = _servers[server].Calls.Count;
            await AskAllAsync(server, null);
            Assert.NotEqual(before, _servers[server].Calls.Count);
        }
    }

    [Fact]
    public async Task ModelMovesFromServersToOthers_UnderLoad_IsSeenByNoClient()
    {
        const string Moving = "moving";
        for (var i = 0; i < 4; i++)
        {
            _servers[i] = Own(await ScriptedUpstream.StartAsync());
        }

        ScriptedUpstream[][] upstreams = [_servers[..2], _servers[2..4]];
        Array.ForEach(upstreams[0], server => server.Models = [Moving]);
        await UseGatewayAsync(new TestGatewayOptions
        {
            Settings = new Dictionary<string, string>
            {
                ["Gateway:Upstreams:0:Addresses:0"] = _servers[0].Address.AbsoluteUri,
                ["Gateway:Upstreams:0:Addresses:1"] = _servers[1].Address.AbsoluteUri,
                ["Gateway:Upstreams:0:Profile"] = "generic",
                ["Gateway:Upstreams:1:Addresses:0"] = _servers[2].Address.AbsoluteUri,
                ["Gateway:Upstreams:1:Addresses:1"] = _servers[3].Address.AbsoluteUri,
                ["Gateway:Upstreams:1:Profile"] = "generic",
                ["Gateway:Discovery:Interval"] = "00:00:00.020",
            },
        });
        var over = false;
        var workers = Enumerable.Range(0, 6).Select(_ => WorkAsync()).ToList();

        for (var round = 1; round <= 6; round++)
        {
            var (now, before) = (round % 2, (round + 1) % 2);
            Array.ForEach(upstreams[now], server => server.Models = [Moving, "other"]);
            await UntilServedByAsync("0", "1");
            Array.ForEach(upstreams[before], server => server.Models = ["other"]);
            await UntilServedByAsync($"{now}");
            var calls = upstreams[now].Sum(server => server.Calls.Count);
            await UntilAsync(() => upstreams[now].Sum(server => server.Calls.Count) >= calls + 20 || workers.Exists(worker => worker.IsFaulted));
        }

        Volatile.Write(ref over, true);
        await Task.WhenAll(workers);

        async Task WorkAsync()
        {
            while (!Volatile.Read(ref over))
            {
                (await PostAsync($$"""{"model":"{{Moving}}","input":"Hi","store":false}""")).AssertOk();
            }
        }

        Task UntilServedByAsync(params string[] names) => UntilAsync(() =>
            Gateway.Services.GetRequiredService<RouteTable>().Find(Moving)?.All.Select(route => route.Upstream).Order(StringComparer.Ordinal).SequenceEqual(names) == true);
    }

    private async Task StartAsync()
    {
        var settings = new Dictionary<string, string>();
        for (var i = 0; i < Servers; i++)
        {
            _servers[i] = Own(await ScriptedUpstream.StartAsync());
            // Two upstreams of one model and one priority.
            var upstream = $"Gateway:Upstreams:{(i < 3 ? "one" : "two")}";
            settings[$"{upstream}:Addresses:{i}"] = _servers[i].Address.AbsoluteUri;
            settings[$"{upstream}:Models:0"] = GatewayFixture.Model;
            settings[$"{upstream}:Profile"] = "generic";
            settings[$"{upstream}:FirstByteTimeout"] = $"{FirstByteTimeout}";
            // Only what calls come to counts here.
            settings[$"{upstream}:Health:Path"] = "";
        }

        await UseGatewayAsync(new TestGatewayOptions { Settings = settings, Time = _time });
    }

    private async Task BreakAsync(int server, Fault fault)
    {
        switch (fault)
        {
            case Fault.Refuses:
                await _servers[server].DisposeAsync();
                break;
            case Fault.Breaks:
                _servers[server].Default = _ => ChatScript.ResetBeforeAnswer();
                break;
            case Fault.BreaksBehindTheHeaders:
                _servers[server].Default = _ => new ChatScript { Steps = [new SendStep(ReadOnlyMemory<byte>.Empty), new ResetStep()] };
                break;
            case Fault.Fails:
                _servers[server].Default = _ => ChatScript.Of(503, """{"error":{"message":"out of memory"}}""");
                break;
            case Fault.Throttles:
                _servers[server].Default = _ => ChatScript.Of(429, """{"error":{"message":"slow down"}}""").WithHeader("Retry-After", "60");
                break;
            case Fault.Stalls:
                _servers[server].Default = _ => new ChatScript { Steps = [new HoldStep()] };
                break;
        }
    }

    /// <summary>The server is started again in its place, which kept-alive connections do not survive, and has long been well.</summary>
    private async Task MendAsync(int server)
    {
        await _servers[server].DisposeAsync();
        _servers[server] = Own(await ScriptedUpstream.StartAsync(_servers[server].Address.Port));
        _time.Advance(LongTime);
    }

    private bool IsLeftAlone(int server)
    {
        var picker = Gateway.Services.GetRequiredService<DestinationPicker>();
        var routes = Gateway.Services.GetRequiredService<RouteTable>().Find(GatewayFixture.Model)!;
        return picker.CandidatesOf(routes).SelectMany(candidate => candidate.Available(picker))
            .Single(stats => stats.Id == _servers[server].Address.AbsoluteUri).IsAvoided(_time.GetTimestamp());
    }

    /// <summary>Many calls at once, each of which must be answered.</summary>
    private async Task AskAllAsync(int server, Fault? fault)
    {
        // What was told to the client of a passed-through answer can not be taken back, and its silence is measured by the real clock.
        var isQuiet = fault is Fault.BreaksBehindTheHeaders or Fault.Stalls;
        var before = _servers[server].Calls.Count;
        var calls = Enumerable.Range(0, CallsAtOnce).Select(_ => AskAsync(isQuiet)).ToList();
        if (fault == Fault.Stalls)
        {
            await UntilAsync(() => calls.Count(call => call.IsCompleted) + _servers[server].Calls.Count - before == calls.Count);
            _time.Advance(FirstByteTimeout);
        }

        await Task.WhenAll(calls);
    }

    /// <summary>By turns a response as JSON and as a stream, and the same passed through, unless <paramref name="isQuiet"/>.</summary>
    private async Task AskAsync(bool isQuiet)
    {
        var kind = Interlocked.Increment(ref _calls) % (isQuiet ? 2 : 4);
        var stream = kind % 2 == 1 ? "true" : "false";
        var (path, body) = kind < 2
            ? ("/v1/responses", $$"""{"input":"Hi","store":false,"stream":{{stream}}}""")
            : ("/v1/chat/completions", $$"""{"messages":[{"role":"user","content":"Hi"}],"stream":{{stream}}}""");
        using var response = await Gateway.Client.PostAsync(new Uri(path, UriKind.Relative), new StringContent(WithModel(body), Encoding.UTF8, "application/json"), Cancellation);
        var reply = await Reply.ReadAsync(response);
        Assert.True(response.IsSuccessStatusCode, $"{path}: {(int)reply.Status} {reply.Body}");
        Assert.Contains((path, stream) switch
        {
            ("/v1/responses", _) => "\"status\":\"completed\"",
            (_, "true") => "[DONE]",
            _ => "\"finish_reason\":\"stop\"",
        }, reply.Body, StringComparison.Ordinal);
    }
}
