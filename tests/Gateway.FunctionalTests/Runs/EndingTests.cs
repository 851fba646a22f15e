using System.Net.Http.Headers;
using Gateway.Store;
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

    private async Task<LateRunStore> UseLateRunsAsync(params IEnumerable<(string Key, string Value)> settings)
    {
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings) with { ConfigureServices = Decorate });
        return (LateRunStore)Gateway.Services.GetRequiredService<IRunStore>();
    }

    private static void Decorate(IServiceCollection services)
    {
        var own = services.Last(service => service.ServiceType == typeof(IRunStore));
        services.AddSingleton<IRunStore>(provider => new LateRunStore((IRunStore)own.ImplementationFactory!(provider)));
    }
}
