using System.Text.Json;
using Gateway.FunctionalTests.Tools;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Runs;

/// <summary>What a test of responses that outlive their client has at hand.</summary>
public abstract class RunTest(GatewayFixture fixture) : McpTest(fixture)
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(20);

    /// <summary>Responses are kept in Redis; in SQLite otherwise.</summary>
    private protected virtual bool OnRedis => false;

    /// <summary>Gives this test a gateway of its own on the class's kind of store.</summary>
    private protected async Task<TestGateway> UseOwnAsync(params (string Key, string Value)[] settings)
    {
        await UseOwnUpstreamAsync();
        return await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings) with { Redis = OnRedis ? Own(await TestRedis.StartAsync()).ConnectionString : null });
    }

    /// <summary>Creates a background response from a body without <c>model</c> and <c>background</c>.</summary>
    private protected async Task<JsonElement> QueueAsync(string json, string? key = null)
    {
        var response = (await PostAsync(WithModel($"{{\"background\":true,{json.TrimStart()[1..]}"), key)).AssertOk();
        Responses.ResponseShape.Assert(response);
        Assert.Equal(("queued", 0), (response.Text("status"), response.At("output").GetArrayLength()));
        return response;
    }

    /// <summary>Creates a streamed background response, and returns at its headers.</summary>
    private protected Task<HttpResponseMessage> OpenAsync(string json, string? key = null) => OpenStreamAsync($"{{\"background\":true,{json.TrimStart()[1..]}", key);

    /// <summary>The response as soon as it is there and has this status.</summary>
    private protected async Task<JsonElement> PollAsync(string id, string status, string? key = null)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        using var polls = new PeriodicTimer(Interval);
        Reply reply;
        while ((reply = await GetAsync("/v1/responses/" + id, key)).Json.ValueKind != JsonValueKind.Object || reply.Json.Find("status")?.GetString() != status)
        {
            Assert.False(reply.Json.Find("status")?.GetString() is "completed" or "failed" or "cancelled" or "incomplete", $"It never gets {status}: {reply.Body}");
            await polls.WaitForNextTickAsync(patience.Token);
        }

        return reply.Json;
    }

    private protected Task<Reply> CancelAsync(string id, string? key = null) => SendAsync(HttpMethod.Post, $"/v1/responses/{id}/cancel", null, key);

    /// <summary>The whole stream of a response behind an event, as text.</summary>
    private protected async Task<string> FollowAsync(string id, int? after = null)
    {
        using var response = await OpenFollowAsync(id, after);
        return await response.Content.ReadAsStringAsync(Cancellation);
    }

    private protected async Task<HttpResponseMessage> OpenFollowAsync(string id, int? after = null)
    {
        var path = $"/v1/responses/{id}?stream=true{(after is null ? "" : $"&starting_after={after}")}";
        var response = await Gateway.Client.GetAsync(new Uri(path, UriKind.Relative), HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.True(response.Content.Headers.ContentType?.ToString() == "text/event-stream; charset=utf-8", $"Not a stream: {(int)response.StatusCode} {response.Content.Headers.ContentType}");
        return response;
    }

    /// <summary>Reads just so many events of a stream, each with its blank line.</summary>
    private protected static async Task<List<string>> ReadEventsAsync(StreamReader reader, int count)
    {
        var events = new List<string>();
        while (events.Count < count)
        {
            var type = await reader.ReadLineAsync(Cancellation);
            if (type!.StartsWith(':'))
            {
                await reader.ReadLineAsync(Cancellation);
                continue;
            }

            events.Add($"{type}\n{await reader.ReadLineAsync(Cancellation)}\n{await reader.ReadLineAsync(Cancellation)}\n");
        }

        return events;
    }

    /// <summary>The events of a body, each as it stands on the wire; the end mark is the last.</summary>
    private protected static List<string> EventsOf(string body) =>
        [.. body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => !block.StartsWith(':')).Select(block => block + "\n\n")];

    /// <summary>An answer that says some words, and waits behind them until it is released.</summary>
    private protected static ChatScript Held(string before = "Hel", string after = "lo") =>
        new ChatStream().Role().Text(before).Hold().Text(after).Finish("stop").Usage(new ChatUsage(11, 7)).Done().ToScript();

    private protected static string IdOf(string event0) => JsonElement.Parse(event0.Split("\ndata: ")[1]).Text("response.id")!;
}
