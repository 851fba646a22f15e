using System.Net;
using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

/// <summary>What moves to another destination or upstream before anything was answered, and what does not.</summary>
public sealed class FailoverTests
{
    [Fact]
    public async Task Send_PreferredUpstreamIsDown_TheNextGetsItsOwnBody()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>(UpstreamHost.Settings(UpstreamHost.Refusing()))
        {
            ["Gateway:Upstreams:next:Address"] = server.Address,
            ["Gateway:Upstreams:next:Models:0"] = "m=other-name",
            ["Gateway:Upstreams:next:Profile"] = "vllm",
            ["Gateway:Upstreams:next:Priority"] = "1",
        });
        using var call = new ChatCall
        {
            Routes = host.Routes.Find("m")!,
            Write = route => new ChatBody(Encoding.UTF8.GetBytes($"{route.Model} for {route.Profile.Name}"), stream: route.Profile.Name == "vllm"),
        };

        await using var reply = await host.Chat.SendAsync(call, default);

        Assert.Equal(UpstreamFailure.None, reply.Failure);
        Assert.Equal("next", call.Route.Upstream);
        Assert.Equal(2, call.Attempts);
        var seen = Assert.Single(server.Requests);
        Assert.Equal("other-name for vllm", seen.Text);
        Assert.Equal("text/event-stream", seen.Headers["Accept"]);
    }

    [Fact]
    public async Task Send_UpstreamThatCanNotBeAskedThis_IsPassedOver()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>(UpstreamHost.Settings(server.Address))
        {
            ["Gateway:Upstreams:next:Address"] = server.Address,
            ["Gateway:Upstreams:next:Models:0"] = "m=able",
            ["Gateway:Upstreams:next:Priority"] = "1",
        });
        var refused = ApiError.UnsupportedParameter("tools", "no tools");
        using var call = new ChatCall
        {
            Routes = host.Routes.Find("m")!,
            Write = route => route.Model == "able" ? new ChatBody("{}"u8.ToArray(), stream: false) : ChatBody.Refused(refused),
        };
        using var hopeless = new ChatCall { Routes = host.Routes.Find("m")!, Write = _ => ChatBody.Refused(refused) };

        await using var reply = await host.Chat.SendAsync(call, default);
        await using var failed = await host.Chat.SendAsync(hopeless, default);

        Assert.Equal(UpstreamFailure.None, reply.Failure);
        Assert.Same(refused, failed.Error);
        Assert.Equal(0, hopeless.Attempts);
        Assert.Single(server.Requests);
        Assert.All(StatsOf(host), s => Assert.InRange(s.InFlight, 0, 1));
    }

    [Fact]
    public async Task Send_SilentServer_AnotherHasAsLongAndThereIsNoThird()
    {
        var time = new FakeTimeProvider();
        var arrivals = new SemaphoreSlim(0);
        Task HangAsync(HttpContext context)
        {
            arrivals.Release();
            return FakeServer.HangAsync(context);
        }

        await using var one = await FakeServer.StartAsync(HangAsync);
        await using var two = await FakeServer.StartAsync(HangAsync);
        await using var three = await FakeServer.StartAsync(HangAsync);
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings(one.Address, two.Address, three.Address), s => s.AddSingleton<TimeProvider>(time));

        var sending = host.SendAsync().AsTask();
        Assert.True(await arrivals.WaitAsync(TimeSpan.FromSeconds(10)));
        time.Advance(TimeSpan.FromMinutes(10));
        Assert.True(await arrivals.WaitAsync(TimeSpan.FromSeconds(10)));
        Assert.False(sending.IsCompleted);
        time.Advance(TimeSpan.FromMinutes(10));
        await using var reply = await sending.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(UpstreamFailure.FirstByteTimeout, reply.Failure);
        Assert.Equal(504, reply.Error!.Status);
        Assert.Equal(2, one.Requests.Count + two.Requests.Count + three.Requests.Count);
    }

    [Fact]
    public async Task Send_SilentAfterTheHeaders_MovesOnOnceMoreToo()
    {
        await using var one = await FakeServer.AnswerAsync(200, "{}");
        await using var two = await FakeServer.AnswerAsync(200, "{}");
        await using var three = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(one.Address, two.Address, three.Address);
        using var call = host.Call();

        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.Chat.SendAsync(call, default);
            Assert.Equal(UpstreamFailure.None, reply.Failure);
            reply.ReportFailure(UpstreamFailure.FirstByteTimeout);
        }

        await using var third = await host.Chat.SendAsync(call, default);
        Assert.Equal(UpstreamFailure.NoDestination, third.Failure);
        Assert.Equal(2, one.Requests.Count + two.Requests.Count + three.Requests.Count);
    }

    [Fact]
    public async Task Send_BrokenStreamOfTheOnlyServer_IsAskedForThereAgainButASilentOneNot()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var broken = host.Call();
        using var silent = host.Call();

        Assert.Equal([UpstreamFailure.None, UpstreamFailure.None], await TwiceAsync(broken, UpstreamFailure.Protocol));
        Assert.Equal([UpstreamFailure.None, UpstreamFailure.NoDestination], await TwiceAsync(silent, UpstreamFailure.FirstByteTimeout));

        async Task<UpstreamFailure[]> TwiceAsync(ChatCall call, UpstreamFailure failure)
        {
            await using var first = await host.Chat.SendAsync(call, default);
            first.ReportFailure(failure);
            await using var second = await host.Chat.SendAsync(call, default);
            return [first.Failure, second.Failure];
        }
    }

    [Fact]
    public async Task Send_ThrottledServer_RestsForAsLongAsItAsks()
    {
        var time = new FakeTimeProvider();
        await using var busy = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "20";
            return Task.CompletedTask;
        });
        await using var free = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings(busy.Address, free.Address), s => s.AddSingleton<TimeProvider>(time));

        await SendAsync(10);
        Assert.Single(busy.Requests);
        time.Advance(TimeSpan.FromSeconds(20));
        await SendAsync(10);

        Assert.Equal(2, busy.Requests.Count);
        Assert.Equal(20, free.Requests.Count);

        async Task SendAsync(int count)
        {
            for (var i = 0; i < count; i++)
            {
                await using var reply = await host.SendAsync();
                Assert.Equal(UpstreamFailure.None, reply.Failure);
            }
        }
    }

    [Fact]
    public async Task Send_AllThrottled_TellsTheClientAndAsksAllTheSame()
    {
        await using var busy = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = 429;
            context.Response.Headers.RetryAfter = "20";
            return Task.CompletedTask;
        });
        await using var host = await UpstreamHost.StartAsync(busy.Address);

        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.Equal((429, TimeSpan.FromSeconds(20)), (reply.Error!.Status, reply.Error.RetryAfter));
        }

        Assert.Equal(2, busy.Requests.Count);
    }

    [Fact]
    public async Task Send_BudgetIsSpent_TheFailureGoesToTheClientAsItIs()
    {
        await using var one = await FakeServer.AnswerAsync(500, """{"error":{"message":"CUDA error"}}""");
        await using var two = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings(one.Address);
        settings["Gateway:Upstreams:next:Address"] = two.Address;
        settings["Gateway:Upstreams:next:Models:0"] = "m";
        settings["Gateway:Upstreams:next:Priority"] = "1";
        settings["Gateway:Routing:RetryBudget:Ratio"] = "0.5";
        settings["Gateway:Routing:RetryBudget:PerSecond"] = "0";
        // Never taken out: only the budget is in question.
        await using var host = await UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(new FakeTimeProvider()));

        var statuses = new List<int>();
        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.SendAsync();
            statuses.Add(reply.Error?.Status ?? 200);
        }

        Assert.Equal([502, 200], statuses);
        Assert.Single(two.Requests);
    }

    [Fact]
    public async Task Passthrough_PreferredUpstreamIsDown_TheNextGetsItsOwnNameOfTheModel()
    {
        await using var sick = await FakeServer.AnswerAsync(503, "{}");
        await using var well = await FakeServer.AnswerAsync(200, """{"ok":true}""");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:a:Address"] = sick.Address,
            ["Gateway:Upstreams:a:Models:0"] = "m=long-name-of-the-first",
            ["Gateway:Upstreams:b:Address"] = well.Address,
            ["Gateway:Upstreams:b:Models:0"] = "m",
            ["Gateway:Upstreams:b:Priority"] = "1",
        });

        using var response = await host.Client.PostAsync("/v1/embeddings", new StringContent("""{"model":"m","input":"x"}"""));

        Assert.Equal("""{"ok":true}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("""{"model":"long-name-of-the-first","input":"x"}""", Assert.Single(sick.Requests).Text);
        Assert.Equal("""{"model":"m","input":"x"}""", Assert.Single(well.Requests).Text);
    }

    [Fact]
    public async Task Passthrough_PromptCacheKey_GoesToOneServer()
    {
        await using var one = await FakeServer.AnswerAsync(200, "{}");
        await using var two = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(one.Address, two.Address);

        for (var i = 0; i < 12; i++)
        {
            using var response = await host.Client.PostAsync("/v1/chat/completions", new StringContent("""{"prompt_cache_key":"k","model":"m"}"""));
            response.EnsureSuccessStatusCode();
        }

        Assert.Equal([0, 12], new[] { one.Requests.Count, two.Requests.Count }.Order());
    }

    [Fact]
    public async Task Restarts_UnderLoad_AreSeenByNoClient()
    {
        // Each server refuses in turn while another one answers.
        var down = -1;
        var servers = new List<FakeServer>();
        for (var i = 0; i < 3; i++)
        {
            var index = i;
            servers.Add(await FakeServer.StartAsync(context =>
            {
                if (Volatile.Read(ref down) == index)
                {
                    context.Abort();
                }

                return context.Response.WriteAsync("{}");
            }));
        }

        var settings = UpstreamHost.Settings([.. servers.Select(s => s.Address)]);
        // All calls of a round may be at the server that goes down.
        settings["Gateway:Routing:RetryBudget:PerSecond"] = "1000";
        await using var host = await UpstreamHost.StartAsync(settings);
        for (var round = 0; round < 6; round++)
        {
            Volatile.Write(ref down, round % 3);
            var replies = await Task.WhenAll(Enumerable.Range(0, 40).Select(i => host.Chat.SendAsync(host.Call(affinityKey: $"t/{i}"), default).AsTask()));
            foreach (var reply in replies)
            {
                Assert.Equal(UpstreamFailure.None, reply.Failure);
                await reply.DisposeAsync();
            }
        }

        foreach (var server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [Fact]
    public async Task Reload_DuringOpenStreams_DropsNoneAndTakesEffect()
    {
        const int Streams = 500;
        var release = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var one = await FakeServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await release.Task;
            await context.Response.WriteAsync("data: [DONE]\n\n");
        });
        await using var two = await FakeServer.AnswerAsync(200, "two");
        await using var host = await UpstreamHost.StartAsync(one.Address);
        var replies = await Task.WhenAll(Enumerable.Range(0, Streams).Select(_ => host.SendAsync(stream: true).AsTask()));
        var stats = StatsOf(host).Single();
        Assert.Equal(Streams, stats.InFlight);

        host.Reload(("Gateway:Upstreams:main:Addresses:0", two.Address), ("Gateway:Upstreams:main:MaxConcurrentRequests", "1"), ("Gateway:Upstreams:main:MaxQueued", "0"));
        await Until.TrueAsync(async () =>
        {
            await using var reply = await host.SendAsync();
            return reply.Failure == UpstreamFailure.None && await new StreamReader(reply.Body).ReadToEndAsync() == "two";
        });
        await using var held = await host.SendAsync();
        await using var beyond = await host.SendAsync();
        Assert.Equal("upstream_overloaded", beyond.Error!.Code);

        release.SetResult();
        foreach (var reply in replies)
        {
            using var reader = new StreamReader(reply.Body);
            Assert.Equal("data: 1\n\ndata: [DONE]\n\n", await reader.ReadToEndAsync());
            await reply.DisposeAsync();
        }

        Assert.Equal(0, stats.InFlight);
    }

    [Fact]
    public async Task NameChangesItsAddresses_TheOthersKeepTheirCallsAndKeys()
    {
        var time = new FakeTimeProvider();
        IPAddress[] answer = [IPAddress.Parse("127.0.0.1"), IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.3")];
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings($"http://models.test:{server.Port}/v1"), services =>
        {
            services.AddSingleton<TimeProvider>(time);
            services.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult(Volatile.Read(ref answer)));
        });
        var picker = host.Get<DestinationPicker>();
        var keys = Enumerable.Range(0, 40).Select(i => $"t/chain-{i}").ToList();
        var before = keys.ToDictionary(k => k, OwnOf);
        var held = picker.TryPick(host.Call(affinityKey: keys.First(k => before[k].Contains("127.0.0.2", StringComparison.Ordinal))), again: false);

        Volatile.Write(ref answer, [IPAddress.Parse("127.0.0.4"), IPAddress.Parse("127.0.0.2"), IPAddress.Parse("127.0.0.1")]);
        time.Advance(UpstreamDestinationResolver.RefreshPeriod);
        await Until.TrueAsync(() => StatsOf(host).Any(s => s.Id.Contains("127.0.0.4", StringComparison.Ordinal)));

        Assert.Equal(3, StatsOf(host).Length);
        Assert.Same(held.Stats, StatsOf(host).Single(s => s.InFlight == 1));
        // The new one has a tenth of a share: it takes few keys, and no key moves between the others.
        var moved = keys.Where(k => OwnOf(k) != before[k] && !before[k].Contains("127.0.0.3", StringComparison.Ordinal)).ToList();
        Assert.All(moved, k => Assert.Contains("127.0.0.4", OwnOf(k), StringComparison.Ordinal));
        Assert.InRange(moved.Count, 0, 12);

        string OwnOf(string key)
        {
            var place = picker.TryPick(host.Call(affinityKey: key), again: false);
            picker.Leave(place);
            return place.Stats!.Id;
        }
    }

    private static DestinationStats[] StatsOf(UpstreamHost host)
    {
        var picker = host.Get<DestinationPicker>();
        return [.. picker.CandidatesOf(host.Routes.Find("m")!).SelectMany(c => c.Available(picker))];
    }
}
