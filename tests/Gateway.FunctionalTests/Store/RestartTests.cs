using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>The built executable, killed with SIGKILL and started again on the same store: nothing told is lost, nothing half is kept.</summary>
public sealed class RestartTests : IAsyncLifetime
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    private readonly TemporaryFolder _folder = new();
    private ScriptedUpstream _upstream = null!;
    private TestRedis? _redis;
    private GatewayProcess? _gateway;

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _upstream = await ScriptedUpstream.StartAsync();

    public async ValueTask DisposeAsync()
    {
        if (_gateway is not null)
        {
            await _gateway.DisposeAsync();
        }

        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        await _upstream.DisposeAsync();
        _folder.Dispose();
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task StreamedToolConversation_KilledBetweenTurns_GoesOn(string store)
    {
        await StartAsync(store);
        _upstream.Enqueue(
            new ChatAnswer { Reasoning = "I need the weather.", ToolCalls = [new("call_a", "get_weather", """{"city":"Oslo"}""")] },
            ChatAnswer.Say("It is sunny, 你好 👋."),
            ChatAnswer.Say("You asked about Oslo."));

        var asked = await StreamAsync($$"""{"input":"Weather in Oslo?","tools":[{{Weather}}]}""");
        var call = asked.Final.Each("output").Single(item => item.Text("type") == "function_call");
        await RestartAsync(store);
        var answered = await StreamAsync($$"""
            {"previous_response_id":"{{asked.Id}}","tools":[{{Weather}}],"input":[{"type":"function_call_output","call_id":"{{call.Text("call_id")}}","output":"sunny"}]}
            """);
        await RestartAsync(store);
        var last = await StreamAsync($$"""{"previous_response_id":"{{answered.Id}}","input":"What did I ask?"}""");
        await RestartAsync(store);

        Assert.Equal("You asked about Oslo.", last.Text);
        Assert.Equal(["user", "assistant", "tool", "assistant", "user"], _upstream.LastCall.Roles);
        Assert.Equal("It is sunny, 你好 👋.", _upstream.LastCall.Messages[3]!["content"]!.GetValue<string>());
        foreach (var stream in (ResponseStream[])[asked, answered, last])
        {
            Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
        }

        Assert.Equal(new[] { last.Id, answered.Id, asked.Id }.Order(), (await GetAsync("/v1/responses")).AssertOk().Each("data").Select(response => response.Text("id")).Order());
    }

    [Theory]
    [InlineData("sqlite")]
    [InlineData("redis")]
    public async Task Stream_KilledInTheMiddle_LeavesNothingHalfStored(string store)
    {
        await StartAsync(store);
        var first = await StreamAsync("""{"input":"Hi"}""");
        _upstream.Enqueue(Misbehaviours.Of(Misbehaviour.HangMidStream).Single().CreateReaction());
        using var request = Post($$"""{"stream":true,"input":"Go on","previous_response_id":"{{first.Id}}"}""");
        using var response = await _gateway!.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        string? line;
        string? id = null;
        do
        {
            line = await reader.ReadLineAsync(Cancellation);
            id ??= line!.StartsWith("data: ", StringComparison.Ordinal) ? JsonElement.Parse(line["data: ".Length..]).Text("response.id") : null;
        }
        while (line != "event: response.output_text.delta");

        await RestartAsync(store);

        (await GetAsync("/v1/responses/" + id)).AssertError(404, null, null);
        Assert.Equal([first.Id], (await GetAsync("/v1/responses")).AssertOk().Each("data").Select(r => r.Text("id")!));
        var again = await StreamAsync($$"""{"input":"Go on","previous_response_id":"{{first.Id}}"}""");
        Assert.Equal(["user", "assistant", "user"], _upstream.LastCall.Roles);
        Assert.Equal("completed", again.Final.Text("status"));
    }

    private async Task RestartAsync(string store)
    {
        await _gateway!.KillAsync();
        await _gateway.DisposeAsync();
        await StartAsync(store);
    }

    private async Task StartAsync(string store)
    {
        if (store == "redis")
        {
            _redis ??= await TestRedis.StartAsync();
        }

        // A key of a tenant made for this test, since a Redis may be shared.
        var tenant = "t" + Path.GetFileName(_folder.Path)[^6..].ToLowerInvariant();
        _gateway = await GatewayProcess.StartAsync(GatewayFixture.OptionsFor(_upstream, ($"Gateway:Tenants:{tenant}:Keys:0", "key")) with
        {
            StorePath = _folder.Path,
            Redis = _redis?.ConnectionString,
        });
        _gateway.Client.DefaultRequestHeaders.Authorization = new("Bearer", "key");
    }

    private async Task<ResponseStream> StreamAsync(string json)
    {
        using var request = Post($"{{\"stream\":true,{json.TrimStart()[1..]}");
        using var response = await _gateway!.Client.SendAsync(request, Cancellation);
        return ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }

    private async Task<Reply> GetAsync(string path)
    {
        using var response = await _gateway!.Client.GetAsync(path, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private static HttpRequestMessage Post(string json) => new(HttpMethod.Post, "/v1/responses")
    {
        Content = new StringContent($"{{\"model\":\"{GatewayFixture.Model}\",{json[1..]}", Encoding.UTF8, "application/json"),
    };
}
