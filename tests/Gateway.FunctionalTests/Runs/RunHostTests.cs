using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Tools;
using Gateway.Runs;
using Gateway.Store;
using Gateway.Store.Sealing;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Runs;

/// <summary>What a replica does with its runs over time, by a clock that the test moves: leases, bugs and claims.</summary>
public sealed class RunHostTests(GatewayFixture fixture) : RunTest(fixture), IClassFixture<GatewayFixture>
{
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(250);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private LateRunStore _runs = null!;
    private ClaimWatchingStore _store = null!;
    private bool _canNotSeal;

    [Fact]
    public async Task Start_FailsForTheMoment_TheRunIsPutOffUntilItsLeaseEnds()
    {
        await UseTimedAsync();
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var takes = new ConcurrentQueue<(DateTimeOffset Asked, DateTimeOffset Done)>();
        var asked = DateTimeOffset.MaxValue;
        _runs.BeforeTake = () => asked = _time.GetUtcNow();
        _runs.AfterTake = _ =>
        {
            // Only the first try fails.
            _store.SeemsAway = takes.IsEmpty;
            takes.Enqueue((asked, _time.GetUtcNow()));
        };

        await _runs.ReleaseAsync(_runs.Created, 1, Cancellation);
        await AdvanceUntilAsync(() => Gateway.Logs.Text.Contains("waits: store_unavailable", StringComparison.Ordinal));
        _store.SeemsAway = false;
        await AdvanceUntilAsync(() => takes.Count == 2);

        Assert.Equal("Hello from the scripted model.", (await PollAsync(id, "completed")).OutputText());
        // The clock goes on while a run is being taken: the lease began at the earliest when it was asked for.
        var between = takes.Last().Done - takes.First().Asked;
        Assert.True(between >= Lease, $"It was taken again after {between}.");
        Assert.Equal(2, takes.Count);
    }

    [Fact]
    public async Task Start_NobodyServesTheModelSoFar_TheRunIsPutOff()
    {
        using var folder = new TemporaryFolder();
        await UseOwnUpstreamAsync();
        var options = GatewayFixture.OptionsFor(Upstream) with { StorePath = folder.Path };
        var script = Held();
        Upstream.Enqueue(script);
        string id;
        await using (var first = await TestGateway.StartAsync(options))
        {
            using var content = new StringContent(WithModel("""{"input":"Hi","background":true}"""), Encoding.UTF8, "application/json");
            using var response = await first.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, Cancellation);
            id = (await Reply.ReadAsync(response)).AssertOk().Text("id")!;
            await script.Hold.Reached;
        }

        await using (var second = await TestGateway.StartAsync(
            GatewayFixture.OptionsFor(Upstream, ("Gateway:Upstreams:main:Models:0", "another")) with { StorePath = folder.Path }))
        {
            await UntilAsync(() => second.Logs.Text.Contains($"{id} of tenant default waits: model_not_found", StringComparison.Ordinal));
            using var response = await second.Client.GetAsync(new Uri("/v1/responses/" + id, UriKind.Relative), Cancellation);
            Assert.Equal("in_progress", (await Reply.ReadAsync(response)).AssertOk().Text("status"));
        }

        await UseGatewayAsync(options);
        Assert.Equal("Hello from the scripted model.", (await PollAsync(id, "completed")).OutputText());
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task Renewal_BreaksForOneRun_TheOthersKeepTheirLeases(Type exception)
    {
        await UseTimedAsync();
        Gateway.AllowedErrors = log => log.Message.Contains($"failed by a bug: {exception.Name}", StringComparison.Ordinal);
        var (one, other) = (Held(), Held());
        Upstream.Enqueue(one).Enqueue(other);
        await QueueAsync("""{"input":"Hi"}""");
        var broken = _runs.Created;
        await one.Hold.Reached;
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        var sound = _runs.Created;
        await other.Hold.Reached;
        var renewals = new ConcurrentDictionary<RunKey, int>();
        _runs.BeforeRenew = run =>
        {
            renewals.AddOrUpdate(run, 1, static (_, count) => count + 1);
            if (run == broken)
            {
                throw (Exception)Activator.CreateInstance(exception, "a bug")!;
            }
        };

        await AdvanceUntilAsync(() => renewals.GetValueOrDefault(broken) >= 3);
        var before = renewals.GetValueOrDefault(sound);
        await AdvanceUntilAsync(() => renewals.GetValueOrDefault(sound) >= before + 3);

        Assert.Null(await _runs.TakeAsync(sound, "other", Lease, Cancellation));
        other.Hold.Release();
        Assert.Equal("Hello", (await PollAsync(id, "completed")).OutputText());
        one.Hold.Release();
    }

    [Fact]
    public async Task Store_IsAwayLongerThanTheWindow_StreamWithItsClientGoesOn()
    {
        await UseTimedAsync(("Gateway:Store:ResumeWindow", "00:00:05"));
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        await script.Hold.Reached;
        var started = _time.GetUtcNow();
        var (beats, isAway) = (0, true);
        _runs.BeforeFollowed = () => ThrowWhen(isAway);
        _runs.BeforeRenew = _ =>
        {
            beats++;
            ThrowWhen(isAway);
        };
        await AdvanceUntilAsync(() => _time.GetUtcNow() - started > TimeSpan.FromSeconds(9));

        // The first beat finds that nobody was noted for long; the follower had no chance to be.
        beats = 0;
        isAway = false;
        await AdvanceUntilAsync(() => beats >= 2);
        script.Hold.Release();

        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
        Assert.Equal("completed", Gateway.Metrics.Of("gateway.runs.ended").Single().Tags["outcome"]);

        static void ThrowWhen(bool isAway)
        {
            if (isAway)
            {
                throw new StoreUnavailableException("away");
            }
        }
    }

    [Fact]
    public async Task Cancel_AtAnotherReplica_IsHeardWithinHalfASecond()
    {
        await UseTimedAsync();
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;

        Assert.True(await _runs.CancelAsync(_runs.Created, Cancellation));
        _time.Advance(TimeSpan.FromSeconds(0.5));

        await Upstream.Calls.Single().ClientLeft.WaitAsync(Cancellation);
        await PollAsync(id, "cancelled");
    }

    [Theory]
    [InlineData(typeof(InvalidOperationException))]
    [InlineData(typeof(OperationCanceledException))]
    public async Task Scan_Breaks_RunsAreTakenAllTheSame(Type exception)
    {
        await UseTimedAsync();
        Gateway.AllowedErrors = static log => false;
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var breaks = 0;
        _runs.BeforeFind = () =>
        {
            if (Interlocked.Increment(ref breaks) <= 2)
            {
                throw (Exception)Activator.CreateInstance(exception, "a bug")!;
            }
        };

        await AdvanceUntilAsync(() => Volatile.Read(ref breaks) >= 2);
        await _runs.ReleaseAsync(_runs.Created, 1, Cancellation);
        await AdvanceUntilAsync(() => Upstream.Calls.Count == 2);

        Assert.Equal("Hello from the scripted model.", (await PollAsync(id, "completed")).OutputText());
        Assert.Equal(2, Gateway.Logs.All.Count(log => log.Message.StartsWith("Looking for responses that nobody makes failed", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Run_CanNotBeReached_TheOthersAreTaken()
    {
        await UseTimedAsync();
        var away = await PutGivenUpAsync("scripted", TimeSpan.FromSeconds(1));
        var other = await PutGivenUpAsync("scripted", TimeSpan.FromSeconds(2));
        _runs.Away = away;

        await AdvanceUntilAsync(() => Upstream.Calls.Count == 1);
        await PollAsync(other.Id.ToString(), "completed");

        _runs.Away = null;
        await AdvanceUntilAsync(() => Upstream.Calls.Count == 2);
        await PollAsync(away.Id.ToString(), "completed");
    }

    [Theory]
    [InlineData("unserved", "20")]
    [InlineData("scripted", "1")]
    public async Task Cancelled_ButItCanNotBeMade_EndsAsCancelled(string model, string attempts)
    {
        await UseTimedAsync(("Gateway:Runs:Attempts", attempts));
        var run = await PutGivenUpAsync(model, Lease);
        Assert.True(await _runs.CancelAsync(run, Cancellation));

        await AdvanceUntilAsync(() => Gateway.Metrics.Of("gateway.runs.ended").Any());

        var ended = await GetAsync("/v1/responses/" + run.Id);
        Assert.Equal("cancelled", ended.AssertOk().Text("status"));
        Assert.Equal(JsonValueKind.Null, ended.Json.At("error").ValueKind);
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task Tenant_WasRemoved_ItsRunsAreRemovedADayLater()
    {
        await UseTimedAsync(("Gateway:Tenants:two:Keys:0", "key-two"));
        Gateway.AllowedErrors = static log => log.Message.EndsWith("can not be made and is removed: its tenant was removed", StringComparison.Ordinal);
        var spec = new RunSpec
        {
            Dialect = "openai",
            Model = "demo",
            CreatedAt = _time.GetUtcNow() - TimeSpan.FromDays(7),
            IsBackground = true,
            KeepsEvents = false,
            Body = Encoding.UTF8.GetBytes(WithModel("""{"input":"Hi","background":true}""")),
        };
        var (run, newer) = (new RunKey("one", ResponseId.NewChain()), new RunKey("one", ResponseId.NewChain()));
        foreach (var (key, bytes) in new[] { (run, spec.Write()), (newer, "{\"v\":99}\nbody"u8.ToArray()) })
        {
            await _runs.CreateAsync(
                new RunStart { Run = key, Spec = bytes, Events = [], MostRuns = 10, Retention = TimeSpan.FromDays(30) }, Cancellation);
        }

        var looks = 0;
        _runs.BeforeFind = () => Interlocked.Increment(ref looks);
        await LookTwiceAsync();
        _time.Advance(MissingTenants.Patience - TimeSpan.FromMinutes(1));
        await LookTwiceAsync();
        Assert.NotNull(await _runs.GetRunAsync(run, Cancellation));

        _time.Advance(TimeSpan.FromMinutes(2));
        await LookTwiceAsync();

        Assert.Null(await _runs.GetRunAsync(run, Cancellation));
        Assert.Contains(Gateway.Logs.All, log => log.Message.Contains(run.Id.ToString(), StringComparison.Ordinal));
        Assert.NotNull(await _runs.GetRunAsync(newer, Cancellation));

        async Task LookTwiceAsync()
        {
            var before = Volatile.Read(ref looks);
            await AdvanceUntilAsync(() => Volatile.Read(ref looks) >= before + 2);
        }
    }

    [Fact]
    public async Task Run_IsLostBehindItsClaim_TheClaimIsNotGivenBack()
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseTimedAsync(("Gateway:Tools:AllowedHosts:0", "127.0.0.1"));
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));
        var tool = Mcp(approval: "always");
        var asked = await PollAsync((await QueueAsync($$"""{"input":"Go","tools":[{{tool}}]}""")).Text("id")!, "completed");
        var request = asked.Text("output[1].id")!;
        RunKey? lost = null;
        _store.AfterClaim = async cancelled =>
        {
            // Another replica takes the run, and this one finds out.
            lost = _runs.Created;
            await _runs.ReleaseAsync(lost.Value, 1, Cancellation);
            Assert.Equal(2, (await _runs.TakeAsync(lost.Value, "other", TimeSpan.FromHours(1), Cancellation))?.Token);
            await AdvanceUntilAsync(() => cancelled.IsCancellationRequested);
        };

        var id = (await QueueAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{tool}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{request}}","approve":true}]}
            """)).Text("id")!;
        await Gateway.Metrics.WaitForCountAsync("gateway.runs.ended", 2);

        Assert.Equal("lost", Gateway.Metrics.Of("gateway.runs.ended").Last().Tags["outcome"]);
        Assert.Equal(id, await _store.FindOwnerAsync("default", "approval:" + request, Cancellation));
        Assert.Empty(Server.Calls);

        await _runs.ReleaseAsync(lost!.Value, 2, Cancellation);
        await AdvanceUntilAsync(() => Server.Calls.Count == 1);
        Assert.Equal(["mcp_call", "message"], (await PollAsync(id, "completed")).Types("output"));
    }

    [Fact]
    public async Task Key_IsTakenButTheReplyIsLost_TheRequestMayBeTriedAgain()
    {
        await UseTimedAsync();
        Gateway.AllowedErrors = static _ => true;
        _store.AfterClaim = static _ => throw new StoreUnavailableException("The reply was lost.");

        (await PostOnceAsync("""{"input":"Hi","store":false}""")).AssertError(503, "store_unavailable", null, "server_error");

        (await PostOnceAsync("""{"input":"Hi","store":false}""")).AssertOk();
    }

    [Fact]
    public async Task Run_IsRefused_ItsLeaseIsNotProlongedAnyMore_TheKeyIsGivenBackAtOnce()
    {
        await UseTimedAsync();
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"no such thing","type":"invalid_request_error"}}"""));
        _runs.AfterDrop = async cancelled =>
        {
            // Replicas are waited for, or the index: meanwhile the next beat finds no run.
            _runs.AfterDrop = null;
            if (cancelled.CanBeCanceled)
            {
                await AdvanceUntilAsync(() => cancelled.IsCancellationRequested);
                cancelled.ThrowIfCancellationRequested();
            }
        };

        Assert.Equal(400, (int)(await PostOnceAsync("""{"input":"Hi"}""")).Status);
        await Gateway.Metrics.WaitForCountAsync("gateway.runs.ended", 1);

        Assert.Equal("failed", Gateway.Metrics.Of("gateway.runs.ended").Single().Tags["outcome"]);
        // No time goes by: it does not wait until it is clear that nothing comes of the first one.
        (await PostOnceAsync("""{"input":"Hi"}""").WaitAsync(TimeSpan.FromSeconds(20), Cancellation)).AssertOk();
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task ClientOfAResponseThatNoRunCanMake_Leaves_MayTryAgain(string stream)
    {
        await UseSecretToolAsync();
        var json = $$"""{"input":"Hi","stream":{{stream}},"tools":[{{Mcp(more: ""","headers":{"X-Key":"secret"}""")}}]}""";
        var script = Held();
        Upstream.Enqueue(script);
        using (var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation))
        {
            var sending = PostOnceAsync(json, leaving.Token);
            await script.Hold.Reached.WaitAsync(Cancellation);
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        }

        await Upstream.Calls.Single().ClientLeft.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);

        // The gateway may hear of it a moment later.
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(20));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        Reply again;
        while ((again = await PostOnceAsync(json)).Status == HttpStatusCode.Conflict)
        {
            await polls.WaitForNextTickAsync(patience.Token);
        }

        Assert.True(again.Status == HttpStatusCode.OK, again.Body);
    }

    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task ClientOfAResponseThatNoRunCanMake_LeavesWhenItIsKept_ItIsNotMadeTwice(string stream)
    {
        await UseSecretToolAsync();
        var json = $$"""{"input":"Hi","stream":{{stream}},"tools":[{{Mcp(more: ""","headers":{"X-Key":"secret"}""")}}]}""";
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var released = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        _store.AfterCommit = async () =>
        {
            var http = Gateway.Services.GetRequiredService<IHttpContextAccessor>().HttpContext!;
            http.Response.OnCompleted(() =>
            {
                released.TrySetResult();
                return Task.CompletedTask;
            });
            await leaving.CancelAsync();
            await Task.Delay(Timeout.Infinite, http.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => PostOnceAsync(json, leaving.Token));
        await released.Task.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        _store.AfterCommit = null;

        (await PostOnceAsync(json)).AssertError(409, "idempotency_key_in_use", "Idempotency-Key");
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task Run_IsAnothers_ByTheTimeItIsRefused_TheOtherKeepsIt()
    {
        await UseTimedAsync(("Gateway:Store:ResumeWindow", "00:10:00"));
        var failing = new ChatScript
        {
            Status = 400,
            ContentType = ChatScript.Json,
            Steps = [new HoldStep(), new SendStep(Encoding.UTF8.GetBytes("""{"error":{"message":"no such thing","type":"invalid_request_error"}}"""))],
        };
        Upstream.Enqueue(failing);
        var answer = OpenStreamAsync("""{"input":"Hi"}""");
        await failing.Hold.Reached;
        var run = _runs.Created;

        // This replica stood still: another one has the run now. No time goes by, so its own beat does not tell it.
        await _runs.ReleaseAsync(run, 1, Cancellation);
        Assert.Equal(2, (await _runs.TakeAsync(run, "other", TimeSpan.FromHours(1), Cancellation))?.Token);
        failing.Hold.Release();
        await Gateway.Metrics.WaitForCountAsync("gateway.runs.ended", 1);

        Assert.True((await _runs.RenewAsync(run, 2, Lease, Cancellation)).IsHeld, "The run of another replica was removed.");
        Assert.Equal("lost", Gateway.Metrics.Of("gateway.runs.ended").Last().Tags["outcome"]);
        await _runs.DeleteRunAsync(run, Cancellation);
        (await answer).Dispose();
    }

    [Fact]
    public async Task Follower_ReadsNothing_StallIsOver_LosesItsPlace()
    {
        await UseTimedAsync(("Gateway:Limits:ClientStall", "00:00:10"));
        // Its events are several times as long: more than the client's small buffer and the gateway's own take.
        Upstream.Enqueue(new ChatStream().Role().Text(Enumerable.Repeat(new string('x', 128 * 1024), 16)).End());
        using var first = await OpenAsync("""{"input":"Hi"}""");
        var id = IdOf(EventsOf(await first.Content.ReadAsStringAsync(Cancellation))[0]);
        await Gateway.Metrics.WaitForSumAsync("gateway.runs.followers", 0);
        using var client = ClientWithSmallBuffer();

        using var stalled = await client.GetAsync(
            new Uri($"/v1/responses/{id}?stream=true", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.Equal(1, Gateway.Metrics.Sum("gateway.runs.followers"));

        await AdvanceUntilAsync(() => Gateway.Metrics.Sum("gateway.runs.followers") == 0);
    }

    private async Task UseTimedAsync(params IEnumerable<(string Key, string Value)> settings)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings) with
        {
            Time = _time,
            ConfigureServices = services =>
            {
                services
                    .AddSingleton<IResponseStore>(ClaimWatchingStore.Create)
                    .AddSingleton<IRunStore>(static provider => new LateRunStore(((ClaimWatchingStore)provider.GetRequiredService<IResponseStore>()).Inner.Runs))
                    .AddSingleton<IConversationStore>(static provider => ((ClaimWatchingStore)provider.GetRequiredService<IResponseStore>()).Inner.Conversations);
                if (_canNotSeal)
                {
                    // As with Redis and without keys.
                    services.AddHttpContextAccessor().AddSingleton(static provider => SecretSealer.Create(
                        new SecretsOptions(), new StoreOptions { Redis = "redis" }, provider.GetRequiredService<ILogger<SecretSealer>>()));
                }
            },
        });
        _runs = (LateRunStore)Gateway.Services.GetRequiredService<IRunStore>();
        _store = (ClaimWatchingStore)Gateway.Services.GetRequiredService<IResponseStore>();
    }

    private async Task UseSecretToolAsync()
    {
        _canNotSeal = true;
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseTimedAsync(("Gateway:Tools:AllowedHosts:0", "127.0.0.1"));
    }

    /// <summary>Puts a background response into the store that was accepted by a replica which is gone.</summary>
    private async Task<RunKey> PutGivenUpAsync(string model, TimeSpan lease)
    {
        var run = new RunKey("default", ResponseId.NewChain());
        var spec = new RunSpec
        {
            Dialect = "openai",
            Model = model,
            CreatedAt = _time.GetUtcNow(),
            IsBackground = true,
            KeepsEvents = false,
            Body = Encoding.UTF8.GetBytes($$"""{"model":"{{model}}","input":"Hi","background":true}"""),
        };
        await _runs.CreateAsync(
            new RunStart { Run = run, Spec = spec.Write(), Events = [], Owner = "gone", Lease = lease, MostRuns = 10, Retention = TimeSpan.FromDays(30) },
            Cancellation);
        return run;
    }

    private async Task<Reply> PostOnceAsync(string json, CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(WithModel(json), Encoding.UTF8, "application/json") };
        request.Headers.Add("Idempotency-Key", "once");
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, Cancellation);
        using var response = await Gateway.Client.SendAsync(request, either.Token);
        return await Reply.ReadAsync(response);
    }

    private Task AdvanceUntilAsync(Func<bool> isSo) => AdvanceUntilAsync(_time, Step, isSo);
}
