using System.Net.Http.Headers;
using System.Text;
using Gateway.Store;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Runs;

/// <summary>
/// A response that ends just between the look into the store of responses and the one into that of runs is there all the same; a store that is away
/// for a moment loses and doubles nothing.
/// </summary>
public sealed class EndingTests(GatewayFixture fixture) : RunTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("")]
    [InlineData("?stream=true")]
    [InlineData("/input_items")]
    [InlineData("/cancel")]
    [InlineData("previous_response_id")]
    public async Task Response_EndsBetweenTheLooks_IsFound(string what)
    {
        var runs = await UseLateRunsAsync();
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);
        Assert.True(ResponseId.TryParse(id, out var responseId));
        var responses = Gateway.Services.GetRequiredService<IResponseStore>();
        runs.BeforeGet = async () =>
        {
            script.Hold.Release();
            using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
            while (await responses.GetAsync("default", responseId, Cancellation) is null)
            {
                await polls.WaitForNextTickAsync(Cancellation);
            }
        };

        var reply = what switch
        {
            "previous_response_id" => await PostAsync(WithModel($$"""{"input":"Go on","previous_response_id":"{{id}}"}""")),
            "/cancel" => await CancelAsync(id),
            _ => await GetAsync($"/v1/responses/{id}{what}"),
        };

        Assert.Equal(200, (int)reply.Status);
        Assert.Equal(what is "" or "/cancel" ? "completed" : null, what is "" or "/cancel" ? reply.Json.Text("status") : null);
    }

    [Fact]
    public async Task Store_IsAwayWhileAStreamIsFollowed_TheStreamGoesOn()
    {
        var runs = await UseLateRunsAsync();
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        await ReadEventsAsync(reader, 6);

        // While the response is made here its events are at hand; its end is read from the store.
        runs.FailingReads = 2;
        script.Hold.Release();

        var rest = await reader.ReadToEndAsync(Cancellation);
        Assert.Contains("event: response.completed", rest, StringComparison.Ordinal);
        Assert.EndsWith("data: [DONE]\n\n", rest, StringComparison.Ordinal);
        Assert.True(runs.FailingReads < 0);
    }

    [Fact]
    public async Task Store_LosesTheReplyToACreation_TheResponseIsMadeOnce()
    {
        var runs = await UseLateRunsAsync();
        runs.LostCreations = 1;

        var id = (await PostAsync(WithModel("""{"input":"Hi","background":true}"""))).AssertOk().Text("id");

        while ((await GetAsync($"/v1/responses/{id}")).AssertOk().Text("status") != "completed")
        {
            // It is being made.
        }

        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task Store_DoesNotTakeARun_NothingIsMade()
    {
        // The tenant's only place is taken, so that the run would wait where it can be found.
        var runs = await UseLateRunsAsync(("Gateway:Policy:OpenStreams", "1"));
        Upstream.Enqueue(Held());
        using var other = await OpenStreamAsync("""{"input":"Wait"}""");
        runs.LostCreations = 2;

        (await PostAsync(WithModel("""{"input":"Hi","background":true}"""))).AssertError(503, "store_unavailable", null, "server_error");

        Assert.Empty(await runs.FindFreeAsync(10, Cancellation));
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task Replica_EndsBetweenTheKeyAndTheRun_TheSameRequestAgainIsMade()
    {
        var runs = await UseLateRunsAsync();
        var slow = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var taken = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        runs.BeforeCreate = () =>
        {
            taken.SetResult();
            return slow.Task;
        };
        var first = PostOnceAsync();
        await taken.Task.WaitAsync(Cancellation);

        var again = (await PostOnceAsync()).AssertOk();

        // Should the first replica have been slow only, it makes nothing any more, and its client gets the same by trying again.
        slow.SetResult();
        (await first).AssertError(409, "idempotency_key_in_use", "Idempotency-Key");
        Assert.Equal("completed", again.Text("status"));
        Assert.Equal(again.GetRawText(), (await PostOnceAsync()).AssertOk().GetRawText());
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task Run_GoesOnLongerThanItsClientWaits_TheClientIsToldToComeBack()
    {
        var runs = await UseLateRunsAsync(
            ("Gateway:Limits:ResponseTime", "00:00:01"), ("Gateway:Runs:Lease", "00:00:03"), ("Gateway:Store:CommandTimeout", "00:00:03"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = PostOnceAsync();
        await script.Hold.Reached;
        var run = runs.Created;

        // Another replica has it, and takes its time.
        await runs.ReleaseAsync(run, 1, Cancellation);
        Assert.Equal(2, (await runs.TakeAsync(run, "other", TimeSpan.FromMinutes(10), Cancellation))?.Token);
        var told = await first;
        await runs.ReleaseAsync(run, 2, Cancellation);
        var again = (await PostOnceAsync()).AssertOk();

        told.AssertError(504, "response_unfinished", null, "server_error");
        Assert.Equal("1", told.Headers.GetValues("Retry-After").Single());
        Assert.Equal((run.Id.ToString(), "completed"), (again.Text("id"), again.Text("status")));
    }

    [Fact]
    public async Task Response_IsDeleted_ItsKeyMakesNoOther()
    {
        await UseLateRunsAsync();
        var id = (await PostOnceAsync()).AssertOk().Text("id");
        (await DeleteAsync("/v1/responses/" + id)).AssertOk();

        (await PostOnceAsync()).AssertError(409, "idempotency_key_in_use", "Idempotency-Key");

        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task RefusedRun_CanNotBeRemoved_TheSameRequestAgainIsNotMadeBesideIt()
    {
        var runs = await UseLateRunsAsync(("Gateway:Runs:Lease", "00:00:03"), ("Gateway:Store:CommandTimeout", "00:00:03"));
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"no such thing","type":"invalid_request_error"}}"""));
        var refused = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        runs.FailingDeletes = 1;
        runs.BeforeDelete = _ =>
        {
            refused.TrySetResult();
            return Task.CompletedTask;
        };
        var first = PostOnceAsync();
        await refused.Task.WaitAsync(Cancellation);

        // The replica ends here, or the store is away: the run is still there, and somebody will take it.
        var again = (await PostOnceAsync()).AssertOk();

        Assert.Equal((await first).AssertOk().Text("id"), again.Text("id"));
        Assert.Equal(2, Upstream.Calls.Count);
    }

    [Fact]
    public async Task Run_IsThereThoughItsRequestWasToldNo_TheSameRequestAgainIsNotMadeBesideIt()
    {
        var runs = await UseLateRunsAsync(("Gateway:Runs:Lease", "00:00:03"), ("Gateway:Store:CommandTimeout", "00:00:03"));
        runs.LostCreations = 2;
        runs.FailingDeletes = 1;
        (await PostOnceAsync()).AssertError(503, "store_unavailable", null, "server_error");
        var run = runs.Created;

        var again = (await PostOnceAsync()).AssertOk();
        await UntilAsync(() => runs.GetRunAsync(run, Cancellation).AsTask().Result is null);

        Assert.Equal(run.Id.ToString(), again.Text("id"));
        Assert.Single(Upstream.Calls);
    }

    [Fact]
    public async Task NobodyCanBeToldOfFreeRuns_TheyAreLookedForAllTheSame()
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream) with
        {
            ConfigureServices = static services =>
            {
                var own = services.Last(service => service.ServiceType == typeof(IRunStore));
                services.AddSingleton<IRunStore>(provider => new LateRunStore((IRunStore)own.ImplementationFactory!(provider)) { IsDeaf = true });
            },
        });
        var runs = (LateRunStore)Gateway.Services.GetRequiredService<IRunStore>();
        Gateway.AllowedErrors = static _ => true;
        Upstream.Enqueue(Held());
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await Upstream.NextCallAsync(Cancellation);
        await runs.ReleaseAsync(runs.Created, 1, Cancellation);

        await UntilAsync(() => Upstream.Calls.Count == 2);
        await PollAsync(id, "completed");
    }

    [Theory]
    [InlineData("no JSON")]
    [InlineData("{}")]
    [InlineData("""{"k":"round"}""")]
    [InlineData("""{"k":"round","abandoned":[],"items":[],"calls":[],"end":"ANewerEnd"}""")]
    public async Task Journal_IsDamaged_TheRunFailsBehindItsAttempts(string entry)
    {
        var runs = await UseLateRunsAsync(("Gateway:Runs:Lease", "00:00:03"), ("Gateway:Store:CommandTimeout", "00:00:03"), ("Gateway:Runs:Attempts", "1"));
        Gateway.AllowedErrors = static _ => true;
        var script = Held();
        Upstream.Enqueue(script);
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        Assert.True(await runs.AppendAsync(runs.Created, 1, new RunAppend(0, [], 0, [Encoding.UTF8.GetBytes(entry)]), Cancellation));
        await runs.ReleaseAsync(runs.Created, 1, Cancellation);

        Assert.Equal("server_error", (await PollAsync(id, "failed")).Text("error.code"));
    }

    [Fact]
    public async Task Request_IsRefusedByNow_TheResponseFails()
    {
        using var folder = new TemporaryFolder();
        await UseOwnUpstreamAsync();
        Upstream.Enqueue(Held());
        string id;
        await using (var first = await TestGateway.StartAsync(GatewayFixture.OptionsFor(Upstream) with { StorePath = folder.Path }))
        {
            id = (await PostHereAsync(first, "/v1/responses", WithModel("""{"input":"Hi","background":true,"new_member":1}"""))).Text("id")!;
            await Upstream.NextCallAsync(Cancellation);
        }

        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Policy:StrictParameters", "true")) with { StorePath = folder.Path });

        Reply reply;
        do
        {
            reply = await GetAsync("/v1/responses/" + id);
            Assert.Equal(200, (int)reply.Status);
        }
        while (reply.Json.Text("status") is "queued" or "in_progress");

        Assert.Equal(("failed", "unknown_parameter", "scripted"), (reply.Json.Text("status"), reply.Json.Text("error.code"), reply.Json.Text("model")));
        Assert.True(reply.Json.At("background").GetBoolean());
    }

    [Fact]
    public async Task Request_IsRefusedByNow_ItsConversationIsFree()
    {
        using var folder = new TemporaryFolder();
        await UseOwnUpstreamAsync();
        Upstream.Enqueue(Held());
        string id, conversation;
        await using (var first = await TestGateway.StartAsync(GatewayFixture.OptionsFor(Upstream) with { StorePath = folder.Path }))
        {
            conversation = (await PostHereAsync(first, "/v1/conversations", "{}")).Text("id")!;
            id = (await PostHereAsync(
                first, "/v1/responses", WithModel($$"""{"conversation":{"id":"{{conversation}}"},"input":"Hi","background":true,"new_member":1}"""))).Text("id")!;
            await Upstream.NextCallAsync(Cancellation);
        }

        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Policy:StrictParameters", "true")) with { StorePath = folder.Path });

        await PollAsync(id, "failed");
        (await PostAsync(WithModel($$"""{"input":"Hi","conversation":"{{conversation}}"}"""))).AssertOk();
    }

    [Fact]
    public async Task QueuedRun_IsDeletedJustAsItIsTaken_ItsConversationIsFree()
    {
        var runs = await UseLateRunsAsync(("Gateway:Runs:Concurrent", "1"));
        var script = Held();
        Upstream.Enqueue(script);
        var first = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await script.Hold.Reached;
        var conversation = (await PostAsync("{}", path: "/v1/conversations")).AssertOk().Text("id")!;
        await QueueAsync($$"""{"input":"Hi","conversation":"{{conversation}}"}""");
        runs.AfterTake = run => runs.DeleteRunAsync(run, Cancellation).AsTask().Wait();
        script.Hold.Release();
        await PollAsync(first, "completed");
        await Gateway.Metrics.WaitForCountAsync("gateway.runs.ended", 2);
        Assert.Equal("lost", Gateway.Metrics.Of("gateway.runs.ended").Last().Tags["outcome"]);

        (await PostAsync(WithModel($$"""{"input":"Hi","conversation":"{{conversation}}"}"""))).AssertOk();
    }

    [Fact]
    public async Task Renewal_OfOneRunHangs_TheOthersAreCancelledInTime()
    {
        var runs = await UseLateRunsAsync();
        var (one, other) = (Held(), Held());
        Upstream.Enqueue(one).Enqueue(other);
        await QueueAsync("""{"input":"Hi"}""");
        await one.Hold.Reached;
        runs.Hanging = runs.Created;
        var id = (await QueueAsync("""{"input":"Hi"}""")).Text("id")!;
        await other.Hold.Reached;
        await runs.Hangs.Task.WaitAsync(Cancellation);

        Assert.Equal("cancelled", (await CancelAsync(id)).AssertOk().Text("status"));
    }

    [Fact]
    public async Task Stream_WasAccepted_TheStoreIsAwayForAMoment_TheClientIsNotToldToTryAgain()
    {
        var runs = await UseLateRunsAsync();
        runs.FailingReads = 1;

        using var response = await OpenAsync("""{"input":"Hi"}""");

        Assert.Equal(200, (int)response.StatusCode);
        Assert.EndsWith("data: [DONE]\n\n", await response.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    private static async Task<System.Text.Json.JsonElement> PostHereAsync(TestGateway gateway, string path, string json)
    {
        using var content = new StringContent(json, new MediaTypeHeaderValue("application/json"));
        using var response = await gateway.Client.PostAsync(new Uri(path, UriKind.Relative), content, Cancellation);
        return (await Reply.ReadAsync(response)).AssertOk();
    }

    private async Task<Reply> PostOnceAsync()
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new StringContent(WithModel("""{"input":"Hi"}"""), new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Add("Idempotency-Key", "once");
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    [Fact]
    public async Task Follower_AtAnotherReplica_LooksWithoutReadingTheRequestEachTime()
    {
        var redis = Own(await RedisProcess.StartAsync());
        var runs = await UseLateRunsAsync(redis.EndPoint);
        await using var maker = await TestGateway.StartAsync(GatewayFixture.OptionsFor(Upstream) with { Redis = redis.EndPoint });
        var held = Held();
        Upstream.Enqueue(held);
        using var content = new StringContent(WithModel("""{"background":true,"stream":true,"input":"Hi"}"""), null, "application/json");
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = content };
        using var made = await maker.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var reader = new StreamReader(await made.Content.ReadAsStreamAsync(Cancellation));
        var id = IdOf((await ReadEventsAsync(reader, 6))[0]);
        await held.Hold.Reached.WaitAsync(Cancellation);

        using var follow = await OpenFollowAsync(id);
        await UntilAsync(() => runs.Looks >= 3);

        Assert.Equal(1, runs.Reads);
        held.Hold.Release();
        Assert.EndsWith("data: [DONE]\n\n", await follow.Content.ReadAsStringAsync(Cancellation), StringComparison.Ordinal);
    }

    private Task<LateRunStore> UseLateRunsAsync(params IEnumerable<(string Key, string Value)> settings) => UseLateRunsAsync(null, settings);

    private async Task<LateRunStore> UseLateRunsAsync(string? redis, params IEnumerable<(string Key, string Value)> settings)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings) with { ConfigureServices = Decorate, Redis = redis });
        return (LateRunStore)Gateway.Services.GetRequiredService<IRunStore>();
    }

    private static void Decorate(IServiceCollection services)
    {
        var own = services.Last(service => service.ServiceType == typeof(IRunStore));
        services.AddSingleton<IRunStore>(provider => new LateRunStore((IRunStore)own.ImplementationFactory!(provider)));
    }
}
