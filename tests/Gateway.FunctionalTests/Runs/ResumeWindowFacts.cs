using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Stored streams that go on for a while when their client is cut off (<c>Gateway:Store:ResumeWindow</c>).</summary>
public abstract class ResumeWindowFacts(GatewayFixture fixture) : RunTest(fixture)
{
    private const string Window = "Gateway:Store:ResumeWindow";

    [Fact]
    public async Task Stream_IsAsWithoutAWindow()
    {
        await UseOwnAsync((Window, "00:01:00"));

        var stream = await StreamAsync("""{"input":"Hi"}""");

        Assert.Equal(["response.created", "response.in_progress", "response.output_item.added"], stream.Types.Take(3));
        Assert.Equal(("completed", "Hello from the scripted model."), (stream.Final.Text("status"), stream.Text));
        Assert.False(stream.Final.At("background").GetBoolean());
        Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
        (await CancelAsync(stream.Id)).AssertError(400, null, null);
    }

    [Fact]
    public async Task Client_IsCutOff_AndComesBack_GetsTheRest()
    {
        await UseOwnAsync((Window, "00:01:00"));
        var script = Held();
        Upstream.Enqueue(script);
        List<string> seen;
        using (var response = await OpenStreamAsync("""{"input":"Hi"}"""))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            seen = await ReadEventsAsync(reader, 5);
        }

        var id = IdOf(seen[0]);
        Assert.Equal("in_progress", (await GetAsync("/v1/responses/" + id)).AssertOk().Text("status"));
        (await CancelAsync(id)).AssertError(400, null, null);
        using var again = await OpenFollowAsync(id, 4);
        script.Hold.Release();
        var rest = await again.Content.ReadAsStringAsync(Cancellation);

        var stream = ResponseStream.Parse(string.Concat(seen) + rest);
        Assert.Equal(("completed", "Hello"), (stream.Final.Text("status"), stream.Text));
        Assert.Equal(rest, await FollowAsync(id, 4));
    }

    [Fact]
    public async Task Client_DoesNotComeBack_ItIsCancelled()
    {
        await UseOwnAsync((Window, "00:00:01"));
        var script = Held();
        Upstream.Enqueue(script);
        string id;
        using (var response = await OpenStreamAsync("""{"input":"Hi"}"""))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            id = IdOf((await ReadEventsAsync(reader, 5))[0]);
        }

        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);
        var cancelled = await PollAsync(id, "cancelled");

        Assert.Equal(("incomplete", "Hel"), (cancelled.Text("output[0].status"), cancelled.OutputText()));
        Assert.Equal(JsonValueKind.Null, cancelled.At("error").ValueKind);
    }

    [Fact]
    public async Task Client_StaysThroughASilence_LongerThanTheWindow()
    {
        await UseOwnAsync((Window, "00:00:01"), ("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        var script = Held();
        Upstream.Enqueue(script);
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = await ReadEventsAsync(reader, 5);
        for (var comments = 0; comments < 4; comments++)
        {
            Assert.Equal(": keep-alive", await reader.ReadLineAsync(Cancellation));
            await reader.ReadLineAsync(Cancellation);
        }

        script.Hold.Release();

        var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation));
        Assert.Equal(("completed", "Hello"), (stream.Final.Text("status"), stream.Text));
    }

    [Fact]
    public async Task NoWindow_Client_IsCutOff_NothingIsKept()
    {
        var script = Held();
        Upstream.Enqueue(script);
        string id;
        using (var response = await OpenStreamAsync("""{"input":"Hi"}"""))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            id = IdOf((await ReadEventsAsync(reader, 5))[0]);
        }

        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);

        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        (await GetAsync($"/v1/responses/{id}?stream=true&starting_after=4")).AssertError(404, null, null);
    }

    [Fact]
    public async Task Upstream_FailsBeforeTheFirstEvent_IsThePlainError()
    {
        await UseOwnAsync((Window, "00:01:00"));
        Upstream.Default = _ => ChatScript.Of(400, """{"error":{"message":"no such thing","type":"invalid_request_error"}}""");

        using var with = await OpenStreamAsync("""{"input":"Hi"}""");
        using var without = await OpenStreamAsync("""{"input":"Hi","store":false}""");
        var reply = await Reply.ReadAsync(with);

        Assert.Equal((without.StatusCode, "application/json"), (with.StatusCode, reply.ContentType));
        Assert.Equal((await Reply.ReadAsync(without)).Json.GetRawText(), reply.Json.GetRawText());
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
    }

    [Fact]
    public async Task Upstream_FailsBehindAKeepAlive_FailsTheResponse()
    {
        await UseOwnAsync((Window, "00:01:00"), ("Gateway:Limits:KeepAliveInterval", "00:00:01"));
        var script = new ChatScript { Steps = [new HoldStep(), new ResetStep()] };
        Upstream.Enqueue(script);
        Upstream.Default = _ => ChatScript.ResetBeforeAnswer();
        using var response = await OpenStreamAsync("""{"input":"Hi"}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = await ReadEventsAsync(reader, 2);

        script.Hold.Release();

        var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation));
        Assert.Equal("failed", stream.Final.Text("status"));
        Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
    }

    [Fact]
    public async Task NotStored_LeavesNothing()
    {
        await UseOwnAsync((Window, "00:01:00"));
        var script = Held();
        Upstream.Enqueue(script);
        string id;
        using (var response = await OpenStreamAsync("""{"input":"Hi","store":false}"""))
        using (var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation)))
        {
            id = IdOf((await ReadEventsAsync(reader, 5))[0]);
        }

        await (await Upstream.NextCallAsync(Cancellation)).ClientLeft.WaitAsync(TimeSpan.FromSeconds(20), Cancellation);

        (await GetAsync($"/v1/responses/{id}?stream=true")).AssertError(404, null, null);
    }
}
