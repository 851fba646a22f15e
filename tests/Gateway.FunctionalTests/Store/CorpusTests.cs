using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Store;

/// <summary>
/// What earlier versions wrote is read by this one, through the front door: shown, listed, continued, replayed, given again under its key, and its
/// unfinished runs are gone on with. With <c>RECORD_CORPUS=VERSION</c> what this version writes is recorded as a corpus.
/// </summary>
public sealed class CorpusTests : IAsyncLifetime
{
    private const string Function = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";
    private const string Never = """{"type":"mcp","server_label":"srv","require_approval":"never"}""";
    private const string Always = """{"type":"mcp","server_label":"srv","require_approval":"always"}""";

    /// <summary>How long a test waits for what is made meanwhile.</summary>
    private readonly CancellationTokenSource _patience = CancellationTokenSource.CreateLinkedTokenSource(TestContext.Current.CancellationToken);

    private readonly TemporaryFolder _store = new();
    private readonly TemporaryFolder _recorded = new();
    private readonly Channel<HoldStep> _held = Channel.CreateUnbounded<HoldStep>();
    private readonly List<HoldStep> _holds = [];
    private ScriptedUpstream _upstream = null!;
    private TestMcpServer _tools = null!;
    private RedisProcess? _redis;
    private TestGateway _gateway = null!;
    private bool _holdsBack;

    public static TheoryData<string, string> Corpora
    {
        get
        {
            var corpora = new TheoryData<string, string>();
            foreach (var version in Versions())
            {
                corpora.Add(version, "redis");
                corpora.Add(version, "sqlite");
            }

            return corpora;
        }
    }

    private static string Root { get; } = FindRoot();

    private CancellationToken Cancellation => _patience.Token;

    public async ValueTask InitializeAsync()
    {
        _patience.CancelAfter(TimeSpan.FromMinutes(1));
        _upstream = await ScriptedUpstream.StartAsync();
        _upstream.Default = Answer;
        _tools = await TestMcpServer.StartAsync();
        _tools.Add(TestMcpTools.Echo);
    }

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

        await _tools.DisposeAsync();
        await _upstream.DisposeAsync();
        _store.Dispose();
        _recorded.Dispose();
        _patience.Dispose();
    }

    [Theory]
    [MemberData(nameof(Corpora))]
    public Task Corpus_IsReadThroughTheFrontDoor(string version, string store) => ReadAsync(Path.Combine(Root, version), store);

    /// <summary>The newest corpus shows what this version writes; when it does not any more, another one is to be recorded.</summary>
    [Theory]
    [InlineData("redis")]
    [InlineData("sqlite")]
    public async Task Present_IsWrittenAsInTheNewestCorpus(string store)
    {
        var folder = _recorded.Path;
        if (Environment.GetEnvironmentVariable("RECORD_CORPUS") is { Length: > 0 } version)
        {
            folder = Directory.CreateDirectory(Path.Combine(Root, version)).FullName;
        }

        await RecordAsync(folder, store);

        Assert.Equal(Corpus.ShapeOf(Path.Combine(Root, Versions().Last()), store), Corpus.ShapeOf(folder, store));
    }

    private static IEnumerable<string> Versions() => Directory.EnumerateDirectories(Root).Select(folder => Path.GetFileName(folder)).OrderBy(Version.Parse);

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "Recordings", "store"));

    private async Task ReadAsync(string folder, string store)
    {
        var corpus = Corpus.Read(folder, store);
        if (store == "redis")
        {
            _redis = await RedisProcess.StartAsync();
            await Corpus.LoadRedisAsync(folder, _redis.EndPoint);
        }
        else
        {
            Corpus.LoadSqlite(folder, Path.Combine(_store.Path, "gateway.db"));
        }

        await StartAsync(new TimeThen(corpus.Recorded - DateTimeOffset.UtcNow));
        foreach (var exchange in corpus.Exchanges)
        {
            var got = await AskAsync(exchange);

            var about = $"{exchange.Method} {exchange.Path} {exchange.Body}: {got.Status} {got.Answer?.ToJsonString()}{got.Stream}";
            Assert.True(exchange.Status == got.Status, about);
            Assert.True(exchange.Answer is null || Has(got.Answer, exchange.Answer), $"{about}\nwithout all of {exchange.Answer?.ToJsonString()}");
            Assert.True(exchange.Stream == got.Stream, about);
            Assert.True(JsonNode.DeepEquals(exchange.Asked, got.Asked), $"{about}\nasked {got.Asked?.ToJsonString()} instead of {exchange.Asked?.ToJsonString()}");
        }

        // Of the unfinished run the tool's outcome was recorded; only what was approved since is called.
        Assert.Equal("later", (string?)Assert.Single(_tools.Calls).Arguments!["message"]);
    }

    private async Task RecordAsync(string folder, string store)
    {
        _redis = store == "redis" ? await RedisProcess.StartAsync() : null;
        await StartAsync(TimeProvider.System);
        var exchanges = await WriteAsync();
        var recorded = DateTimeOffset.UtcNow;
        if (store == "redis")
        {
            await Corpus.SaveRedisAsync(_redis!.EndPoint, folder);
        }
        else
        {
            Corpus.SaveSqlite(Path.Combine(_store.Path, "gateway.db"), folder);
        }

        _holdsBack = false;
        _holds.ForEach(hold => hold.Release());
        var answered = new List<CorpusExchange>();
        foreach (var exchange in exchanges)
        {
            answered.Add(await AskAsync(exchange));
        }

        new Corpus { Recorded = recorded, Exchanges = answered }.Write(folder, store);
    }

    /// <summary>Writes something of each kind, and tells what a client may ask about it.</summary>
    private async Task<IEnumerable<CorpusExchange>> WriteAsync()
    {
        // A chain with a call of the client's, a branch of it, a turn that was deleted, one that failed.
        var call = await CreateAsync($$"""{"input":"Weather?","instructions":"Be short.","metadata":{"a":"b"},"reasoning":{"effort":"low"},"tools":[{{Function}}]}""");
        var told = await CreateAsync($$"""{"previous_response_id":"{{call.Id}}","tools":[{{Function}}],"input":[{"type":"function_call_output","call_id":"call_weather","output":"rain"}]}""");
        var branch = await CreateAsync($$"""{"previous_response_id":"{{call.Id}}","tools":[{{Function}}],"input":[{"type":"function_call_output","call_id":"call_weather","output":"sun"}]}""");
        var deleted = await CreateAsync($$"""{"previous_response_id":"{{told.Id}}","input":"Forget it."}""");
        var behind = await CreateAsync($$"""{"previous_response_id":"{{deleted.Id}}","input":"And then?"}""");
        await SendAsync(new CorpusExchange("DELETE", $"/v1/responses/{deleted.Id}"));
        var failed = ResponseStream.Parse((await SendAsync(Post("""{"stream":true,"input":"Break."}"""))).Body);

        // A tool that the gateway ran; approvals that were asked for, one of them used.
        var tool = await CreateAsync($$"""{"input":"Use the tool.","tools":[{{Never}}]}""");
        var open = await CreateAsync($$"""{"input":"Use the tool later.","tools":[{{Always}}]}""");
        var asked = await CreateAsync($$"""{"input":"Use the tool.","tools":[{{Always}}]}""");
        var approved = await CreateAsync(Approve(asked));

        // A conversation with items of its own, one of them deleted, with a response and an approval that was used.
        var conversation = JsonElement.Parse((await SendAsync(new CorpusExchange("POST", "/v1/conversations")
        {
            Key = "key-conversation",
            Body = """{"metadata":{"topic":"rain"},"items":[{"role":"user","content":"My name is Ada."},{"role":"user","content":"Delete me."}]}""",
        })).Body).Text("id");
        var items = JsonElement.Parse((await SendAsync(new CorpusExchange("GET", $"/v1/conversations/{conversation}/items?order=asc"))).Body);
        await SendAsync(new CorpusExchange("DELETE", $"/v1/conversations/{conversation}/items/{items.Text("data[1].id")}"));
        var spoken = await CreateAsync($$"""{"conversation":"{{conversation}}","input":"Use the tool.","tools":[{{Never}}]}""");
        var confirmed = Confirm(conversation!, await CreateAsync($$"""{"conversation":"{{conversation}}","input":"Use the tool.","tools":[{{Always}}]}"""));
        await CreateAsync(confirmed);
        var talk = JsonElement.Parse((await SendAsync(new CorpusExchange("POST", "/v1/conversations") { Body = "{}" })).Body).Text("id");

        // A key, a background response that has ended with its events, and runs: one between two rounds, one in a conversation, one that waits.
        var keyed = Post("""{"input":"Once."}""") with { Key = "key-response" };
        await SendAsync(keyed);
        var background = ResponseStream.Parse((await SendAsync(Post($$"""{"background":true,"stream":true,"input":"Use the tool.","tools":[{{Never}}]}"""))).Body);
        _holdsBack = true;
        string[] runs =
        [
            (await CreateAsync($$"""{"background":true,"stream":true,"input":"Work with the tool.","tools":[{{Never}}]}""", untilHeld: true)).Id,
            (await CreateAsync($$"""{"background":true,"conversation":"{{talk}}","input":"Work."}""", untilHeld: true)).Id,
            (await CreateAsync("""{"background":true,"input":"Wait."}""")).Id,
        ];
        string[] responses = [call.Id, told.Id, branch.Id, behind.Id, failed.Id, tool.Id, open.Id, asked.Id, approved.Id, spoken.Id, background.Id];
        return
        [
            .. runs.Select(id => new CorpusExchange("GET", $"/v1/responses/{id}")),
            .. responses.SelectMany(id => (CorpusExchange[])[new("GET", $"/v1/responses/{id}"), new("GET", $"/v1/responses/{id}/input_items?order=asc")]),
            new("GET", $"/v1/responses/{deleted.Id}"),
            new("GET", "/inference/v1/responses/" + told.Id),
            new("GET", "/v1/responses?limit=100&order=asc"),
            new("GET", $"/v1/responses/{background.Id}?stream=true"),
            new("GET", $"/v1/responses/{background.Id}?stream=true&starting_after=3"),
            new("GET", $"/v1/conversations/{conversation}"),
            new("GET", $"/v1/conversations/{conversation}/items?order=asc&limit=100"),
            new("GET", $"/v1/conversations/{conversation}/items/{items.Text("data[0].id")}"),
            new("POST", "/v1/conversations")
            {
                Key = "key-conversation",
                Body = """{"metadata":{"topic":"rain"},"items":[{"role":"user","content":"My name is Ada."},{"role":"user","content":"Delete me."}]}""",
            },
            keyed,
            Post("""{"input":"Twice."}""") with { Key = "key-response" },
            Post(Approve(asked)),
            Post(confirmed),
            .. ((string[])[told.Id, branch.Id, tool.Id, approved.Id, background.Id, runs[0]]).Select(id => Post($$"""{"previous_response_id":"{{id}}","input":"Go on."}""") with { MakesNew = true }),
            .. ((string[])[deleted.Id, behind.Id, failed.Id]).Select(id => Post($$"""{"previous_response_id":"{{id}}","input":"Go on."}""")),
            Post($$"""{"input":[{"type":"item_reference","id":"{{spoken.Final.Text("output[1].id")}}"},{"role":"user","content":"What was that?"}]}""") with { MakesNew = true },
            Post(Approve(open)) with { MakesNew = true },
            new("POST", $"/v1/conversations/{conversation}") { Body = """{"metadata":{"topic":"sun"}}""" },
            new("POST", $"/v1/conversations/{conversation}/items") { Body = """{"items":[{"role":"user","content":"One more."}]}""", MakesNew = true },
            Post($$"""{"conversation":"{{conversation}}","input":"Go on."}""") with { MakesNew = true },
            Post($$"""{"conversation":"{{talk}}","input":"Go on."}""") with { MakesNew = true },
            new("DELETE", $"/v1/responses/{behind.Id}"),
            new("DELETE", $"/v1/conversations/{talk}"),
            new("GET", $"/v1/responses/{runs[1]}"),
        ];
    }

    private static CorpusExchange Post(string body) => new("POST", "/v1/responses") { Body = $"{{\"model\":\"{GatewayFixture.Model}\",{body[1..]}" };

    private static string Approve((string Id, JsonElement Final) asked) => $$"""{"previous_response_id":"{{asked.Id}}",{{Approval(asked.Final)}}}""";

    private static string Confirm(string conversation, (string Id, JsonElement Final) asked) => $$"""{"conversation":"{{conversation}}",{{Approval(asked.Final)}}}""";

    private static string Approval(JsonElement asked) =>
        $$"""
        "tools":[{{Always}}],"input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Each("output").Single(item => item.Text("type") == "mcp_approval_request").Text("id")}}","approve":true}]
        """;

    private async Task<(string Id, JsonElement Final)> CreateAsync(string body, bool untilHeld = false)
    {
        var streams = body.Contains("\"stream\":true", StringComparison.Ordinal);
        using var response = await SendRequestAsync(Post(body), streams ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead);
        string text;
        if (streams)
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
            await reader.ReadLineAsync(Cancellation);
            text = JsonElement.Parse((await reader.ReadLineAsync(Cancellation))!["data: ".Length..]).At("response").GetRawText();
        }
        else
        {
            text = await response.Content.ReadAsStringAsync(Cancellation);
        }

        Assert.True(response.IsSuccessStatusCode, text);
        if (untilHeld)
        {
            _holds.Add(await _held.Reader.ReadAsync(Cancellation));
            await _holds[^1].Reached.WaitAsync(Cancellation);
        }

        return (JsonElement.Parse(text).Text("id")!, JsonElement.Parse(text));
    }

    /// <summary>Asks, and tells what came of it in the place of what was expected. Of a response that is being made the end is waited for.</summary>
    private async Task<CorpusExchange> AskAsync(CorpusExchange exchange)
    {
        var calls = _upstream.Calls.Count;
        var reply = await SendAsync(exchange);
        var waited = false;
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while (exchange.Method == "GET" && reply.Json.ValueKind == JsonValueKind.Object && reply.Json.Find("status")?.GetString() is "queued" or "in_progress")
        {
            waited = true;
            await polls.WaitForNextTickAsync(Cancellation);
            reply = await SendAsync(exchange);
        }

        var answer = reply.ContentType == "application/json" && !exchange.MakesNew ? JsonNode.Parse(reply.Body) : null;
        foreach (var response in answer?["data"]?.AsArray().Prepend(answer).OfType<JsonObject>() ?? [.. new[] { answer }.OfType<JsonObject>()])
        {
            if (response["background"]?.GetValue<bool>() == true)
            {
                // A run that is gone on with ends at another time.
                response.Remove("completed_at");
            }
        }

        return exchange with
        {
            Status = (int)reply.Status,
            Answer = answer,
            Stream = reply.ContentType == "text/event-stream" ? reply.Body : null,
            Asked = !waited && exchange.Method == "POST" && _upstream.Calls.Count > calls ? _upstream.LastCall.Messages.DeepClone() : null,
        };
    }

    private async Task<Reply> SendAsync(CorpusExchange exchange)
    {
        using var response = await SendRequestAsync(exchange, HttpCompletionOption.ResponseContentRead);
        return await Reply.ReadAsync(response);
    }

    private async Task<HttpResponseMessage> SendRequestAsync(CorpusExchange exchange, HttpCompletionOption until)
    {
        using var request = new HttpRequestMessage(HttpMethod.Parse(exchange.Method), exchange.Path);
        if (exchange.Body is { } body)
        {
            request.Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json"));
        }

        if (exchange.Key is { } key)
        {
            request.Headers.Add("Idempotency-Key", key);
        }

        return await _gateway.Client.SendAsync(request, until, Cancellation);
    }

    private async Task StartAsync(TimeProvider time) => _gateway = await TestGateway.StartAsync(GatewayFixture.OptionsFor(
        _upstream,
        ("Gateway:Tools:Servers:srv:Url", _tools.Endpoint.AbsoluteUri),
        ("Gateway:Secrets:Keys:0", Convert.ToBase64String(new byte[32])),
        ("Gateway:Runs:Concurrent", "2")) with
    {
        Redis = _redis?.EndPoint,
        StorePath = _store.Path,
        Time = time,
    });

    /// <summary>The model: what it says depends on nothing but the messages.</summary>
    private ChatScript Answer(JsonObject request)
    {
        var messages = request["messages"]!.AsArray();
        var last = messages[^1]!;
        var text = last["content"]!.ToString();
        if (text is "Weather?")
        {
            return (ChatAnswer.Call(new ChatToolCall("call_weather", "get_weather", "{}")) with { Reasoning = "It may rain." }).For(request);
        }

        if (text.Contains("the tool", StringComparison.Ordinal))
        {
            var message = text.Contains("later", StringComparison.Ordinal) ? "later" : "now";
            return ChatAnswer.Call(new ChatToolCall("call_echo", "srv__echo", $$"""{"message":"{{message}}"}""")).For(request);
        }

        if (text is "Break.")
        {
            return new ChatStream().Role().Text("Half").Data("""{"error":{"message":"Out of memory.","type":"server_error","code":500}}""").ToScript();
        }

        var said = ChatAnswer.Say($"To {text}").For(request);
        if (!_holdsBack)
        {
            return said;
        }

        var hold = new HoldStep();
        _held.Writer.TryWrite(hold);
        return said with { Steps = [hold, .. said.Steps] };
    }

    /// <summary>The one has all that the other has: members of objects, and each entry of a list.</summary>
    private static bool Has(JsonNode? got, JsonNode? expected) => expected switch
    {
        JsonObject members => got is JsonObject there && members.All(member => there.ContainsKey(member.Key) && Has(there[member.Key], member.Value)),
        JsonArray entries => got is JsonArray there && there.Count == entries.Count && entries.Zip(there).All(pair => Has(pair.Second, pair.First)),
        _ => JsonNode.DeepEquals(got, expected),
    };

    /// <summary>The real clock, as it was at some time.</summary>
    private sealed class TimeThen(TimeSpan offset) : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + offset;
    }
}
