using System.Text;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Three upstreams of one model, each preferred to the next: who is asked when they are full or ask for rest, by responses and passed-through calls alike.</summary>
public sealed class TierTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int Places = 4;
    private static readonly TimeSpan Rest = TimeSpan.FromSeconds(20);
    private readonly FakeTimeProvider _time = new(DateTimeOffset.UtcNow);
    private ScriptedUpstream[] _tiers = [];

    [Fact]
    public async Task TiersFillUp_InTheirOrder_ThenNoneWaits_AndTheFirstIsAskedAgainWhenItHasRoom()
    {
        await StartAsync(maxQueued: 0);
        var answers = new List<Task<Reply>>();
        var holds = new List<HoldStep>();
        foreach (var tier in _tiers)
        {
            for (var i = 0; i < Places; i++)
            {
                var hold = new HoldStep();
                tier.Enqueue(Held(hold));
                answers.Add(AskAsync(answers.Count));
                await hold.Reached.WaitAsync(Cancellation);
                holds.Add(hold);
            }
        }

        Assert.Equal([Places, Places, Places], Asked());

        for (var kind = 0; kind < 3; kind++)
        {
            var none = await AskAsync(kind);
            none.AssertError(503, "upstream_overloaded", null, "server_error");
            Assert.NotNull(none.Headers.RetryAfter);
        }

        Assert.Equal([Places, Places, Places], Asked());

        holds.ForEach(hold => hold.Release());
        Assert.All(await Task.WhenAll(answers), answer => answer.AssertOk());
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.in_flight", 0);
        for (var i = 0; i < Places; i++)
        {
            (await AskAsync(i)).AssertOk();
            await Gateway.Metrics.WaitForSumAsync("gateway.upstream.in_flight", 0);
        }

        Assert.Equal([2 * Places, Places, Places], Asked());
    }

    [Fact]
    public async Task TiersUnderLoad_NoServerHasMoreThanItsPlaces_AndNoClientSeesAnError()
    {
        const int Calls = 300;
        await StartAsync(maxQueued: Calls);
        var hold = new HoldStep();
        Array.ForEach(_tiers, tier => tier.Default = Held(hold));

        var answers = Enumerable.Range(0, Calls).Select(AskAsync).ToList();
        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.queued", Calls - (3 * Places));
        await UntilAsync(() => Asked().Sum() == 3 * Places);
        Assert.Equal([Places, Places, Places], Asked());
        hold.Release();

        Assert.All(await Task.WhenAll(answers), answer => answer.AssertOk());
        Assert.Equal(Calls, Asked().Sum());
    }

    [Fact]
    public async Task ThrottledTiers_RestForAsLongAsTheyAsk_AndAreAskedAgainThen()
    {
        await StartAsync(maxQueued: 0);
        var busy = ChatScript.Of(429, """{"error":{"message":"slow down"}}""").WithHeader("Retry-After", $"{Rest.TotalSeconds:0}");
        _tiers[0].Default = _tiers[1].Default = _ => busy;

        // The first call learns of both. The others come all at once, no more of them than the last tier has places.
        (await AskAsync(0)).AssertOk();
        for (var i = 0; i < 10; i++)
        {
            Assert.All(await Task.WhenAll(Enumerable.Range(0, Places - 1).Select(AskAsync)), answer => answer.AssertOk());
            await Gateway.Metrics.WaitForSumAsync("gateway.upstream.in_flight", 0);
        }

        Assert.Equal([1, 1, 1 + (10 * (Places - 1))], Asked());

        _time.Advance(Rest - TimeSpan.FromMilliseconds(1));
        (await AskAsync(1)).AssertOk();
        Assert.Equal([1, 1], Asked()[..2]);
        _time.Advance(TimeSpan.FromMilliseconds(1));
        _tiers[0].Default = ScriptedUpstream.Greeting;
        for (var kind = 0; kind < 3; kind++)
        {
            (await AskAsync(kind)).AssertOk();
        }

        Assert.Equal([4, 1], Asked()[..2]);
    }

    [Fact]
    public async Task AllThrottled_ClientIsToldSoWithTheTimeToWait()
    {
        await StartAsync(maxQueued: 0);
        var busy = ChatScript.Of(429, """{"error":{"message":"slow down"}}""").WithHeader("Retry-After", $"{Rest.TotalSeconds:0}");
        foreach (var tier in _tiers)
        {
            tier.Default = _ => busy;
        }

        for (var kind = 0; kind < 3; kind++)
        {
            var told = await AskAsync(kind);
            Assert.Equal(429, (int)told.Status);
            Assert.Equal(Rest, told.Headers.RetryAfter?.Delta);
        }
    }

    private static ChatReaction Held(HoldStep hold) => request =>
    {
        var script = ScriptedUpstream.Greeting(request);
        return script with { Steps = [hold, .. script.Steps] };
    };

    private int[] Asked() => [.. _tiers.Select(tier => tier.Calls.Count)];

    private async Task StartAsync(int maxQueued)
    {
        var settings = new Dictionary<string, string>();
        _tiers = new ScriptedUpstream[3];
        for (var i = 0; i < _tiers.Length; i++)
        {
            _tiers[i] = Own(await ScriptedUpstream.StartAsync());
            var upstream = $"Gateway:Upstreams:tier{i}";
            settings[$"{upstream}:Address"] = _tiers[i].Address.AbsoluteUri;
            settings[$"{upstream}:Models:0"] = GatewayFixture.Model;
            settings[$"{upstream}:Priority"] = $"{i}";
            settings[$"{upstream}:MaxConcurrentRequests"] = $"{Places}";
            settings[$"{upstream}:MaxQueued"] = $"{maxQueued}";
            settings[$"{upstream}:Profile"] = "generic";
        }

        await UseGatewayAsync(new TestGatewayOptions { Settings = settings, Time = _time });
    }

    /// <summary>By turns a response as JSON, a response as a stream, and a passed-through stream.</summary>
    private async Task<Reply> AskAsync(int kind)
    {
        var (path, body) = (kind % 3) switch
        {
            0 => ("/v1/responses", """{"input":"Hi"}"""),
            1 => ("/v1/responses", """{"input":"Hi","stream":true}"""),
            _ => ("/v1/chat/completions", """{"messages":[{"role":"user","content":"Hi"}],"stream":true}"""),
        };
        using var response = await Gateway.Client.PostAsync(new Uri(path, UriKind.Relative), new StringContent(WithModel(body), Encoding.UTF8, "application/json"), Cancellation);
        var reply = await Reply.ReadAsync(response);
        Assert.True(
            !response.IsSuccessStatusCode || reply.Body.Contains(kind % 3 == 2 ? "[DONE]" : "\"status\":\"completed\"", StringComparison.Ordinal),
            $"Not complete: {reply.Body}");
        return reply;
    }
}
