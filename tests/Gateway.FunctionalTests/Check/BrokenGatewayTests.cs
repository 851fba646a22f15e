using System.Text.Json.Nodes;
using Gateway.Testing;

namespace Gateway.FunctionalTests.Check;

/// <summary>Each way of breaking the contract makes the case that is about it fail, and no other. What was stored is deleted all the same.</summary>
public sealed class BrokenGatewayTests(BrokenGatewayTests.Fixture fixture) : IClassFixture<BrokenGatewayTests.Fixture>
{
    private const string ServerError = """{"error":{"message":"It broke.","type":"server_error","param":null,"code":"internal_error"}}""";

    private static readonly Dictionary<string, (string Case, Breakage Break)> Breakages = new()
    {
        ["a store that is away"] = ("health", At("/health/ready", e => e.Answer(503, """{"status":"unavailable","parts":{"store":{"ready":false,"status":"down"}}}"""))),
        ["a list of models without owners"] = ("models", At("/v1/models", e => e.Change(list => list["data"]![0]!.AsObject().Remove("owned_by")))),
        ["a listed model that is unknown"] = ("models", At("/v1/models/demo", e => e.Answer(404, ServerError))),

        ["a bug"] = ("basic", Made("basic", e => e.Answer(500, ServerError))),
        ["no JSON"] = ("basic", Made("basic", e => e.Answer(200, "<html>"))),
        ["text that is no Unicode"] = ("basic", Made("basic", e => e.Body = e.Body.Replace("\"id\":\"resp_", "\"id\":\"\\ud800resp_", StringComparison.Ordinal))),
        ["text that is no Unicode in a stream"] = ("stream", Stream(events => events.Select(e => e.Replace("\"delta\":\"", "\"delta\":\"\\ud800", StringComparison.Ordinal)))),
        ["a name that is no Unicode"] = ("basic", Made("basic", e => e.Body = e.Body.Replace("\"usage\":", "\"\\ud800usage\":", StringComparison.Ordinal))),
        ["a stored text that is no Unicode"] = ("delete", At("GET", "delete", e => e.Body = e.Body.Replace("\"text\":\"", "\"text\":\"\\ud800", StringComparison.Ordinal))),
        ["another model"] = ("basic", Made("basic", e => e.Change(r => r["model"] = "other"))),
        ["no usage"] = ("basic", Made("basic", e => e.Change(r => r["usage"] = null))),
        ["usage that is not a sum"] = ("basic", Made("basic", e => e.Change(r => r["usage"]!["total_tokens"] = 1))),
        ["no status"] = ("basic", Made("basic", e => e.Change(r => r.Remove("status")))),
        ["a response that failed"] = ("basic", Made("basic", e => e.Change(r => (r["status"], r["error"]) = ("failed", new JsonObject())))),
        ["completed but incomplete"] = ("basic", Made("basic", e => e.Change(r => r["incomplete_details"] = new JsonObject { ["reason"] = "max_output_tokens" }))),
        ["two items with one id"] = ("basic", Made("basic", e => e.Change(r => r["output"]!.AsArray().Add(r["output"]![0]!.DeepClone())))),
        ["metadata of another request"] = ("basic", Made("basic", e => e.Change(r => r["metadata"]!["case"] = "stream"))),

        ["no stream"] = ("stream", Made("stream", e => e.ContentType = "text/plain")),
        ["a refused stream"] = ("stream", Made("stream", e => e.Answer(503, ServerError))),
        ["no terminal event"] = ("stream", Stream(events => events.Where(e => !IsOf(e, "response.completed")))),
        ["no terminal event and no end"] = ("stream", Stream(events => events[..^2])),
        ["two terminal events"] = ("stream", Stream(events => [.. events[..^1], events[^2], events[^1]])),
        ["two terminal events with numbers"] = ("stream", Stream(events => Numbered([.. events[..^1], events[^2], events[^1]]))),
        ["no [DONE]"] = ("stream", Stream(events => events[..^1])),
        ["an event behind [DONE]"] = ("stream", Stream(events => [.. events, events[^1]])),
        ["a gap in the numbers"] = ("stream", Stream(events => events.Where(e => !IsOf(e, "response.output_text.done")))),
        ["no created event"] = ("stream", Stream(events => Numbered(events[1..]))),
        ["events in another order"] = ("stream", Stream(events => Numbered([events[1], events[0], .. events[2..]]))),
        ["a lost delta"] = ("stream", Stream(events => Numbered(Without(events, "response.output_text.delta")))),
        ["a delta of another item"] = ("stream", Stream(events => events.Select(e => IsOf(e, "response.output_text.delta") ? e.Replace("\"item_id\":\"msg_", "\"item_id\":\"other_", StringComparison.Ordinal) : e))),
        ["an item that is never done"] = ("stream", Stream(events => Numbered(Without(events, "response.output_item.done")))),
        ["an item that is never added"] = ("stream", Stream(events => Numbered(Without(events, "response.output_item.added")))),
        ["an end with other items"] = ("stream", Stream(events => events.Select(e => IsOf(e, "response.completed") ? e.Replace("\"id\":\"msg_", "\"id\":\"other_", StringComparison.Ordinal) : e))),
        ["an end of another response"] = ("stream", Stream(events => events.Select(e => IsOf(e, "response.completed") ? e.Replace("\"id\":\"resp_", "\"id\":\"resp_x", StringComparison.Ordinal) : e))),
        ["a stream without usage"] = ("stream", Stream(events => events.Select(e => IsOf(e, "response.completed") ? e.Replace("\"usage\":", "\"usage\":null,\"else\":", StringComparison.Ordinal) : e))),

        ["a call with another id"] = ("function_call", Made("function_call", e => e.Change(r => Calls(r).ToList().ForEach(call => call["call_id"] = "call_other")))),
        ["tools that are not shown"] = ("function_call", Made("function_call", e => e.Change(r => r["tools"] = new JsonArray()))),
        ["a call that needs no output"] = ("function_call", Made("function_call", e =>
        {
            if (e.Status == 400)
            {
                e.Answer(200, "{}");
            }
        })),
        ["an output that is not kept"] = ("function_call", InputItems("function_call", items => items.Clear())),
        ["a schema that is not shown"] = ("structured_output", Made("structured_output", e => e.Change(r => r["text"]!["format"]!["schema"] = new JsonObject()))),
        ["an effort that is not shown"] = ("reasoning", Made("reasoning", e => e.Change(r => r["reasoning"]!["effort"] = null))),
        ["reasoning without its summary"] = ("reasoning", Made("reasoning", e => e.Change(r => r["output"]!.AsArray().Add(new JsonObject { ["type"] = "reasoning", ["id"] = "rs_1", ["summary"] = new JsonArray() })))),
        ["a bug with images"] = ("images", Made("images", e => e.Answer(500, ServerError))),
        ["a refusal without the API's shape"] = ("images", Made("images", e => e.Answer(400, """{"detail":"no"}"""))),
        ["an image that is not kept"] = ("images", InputItems("images", items => items[0]!["content"]!.AsArray().RemoveAt(1))),

        ["a chain that is forgotten"] = ("chain", ForgetChainAsync),
        ["a chain that is not shown"] = ("chain", Made("chain", e => e.Change(r => r["previous_response_id"] = null))),
        ["input of the whole chain"] = ("chain", InputItems("chain", items => items.Add(items[0]!.DeepClone()))),

        ["stored against its will"] = ("store_false", StoreAllAsync),
        ["stored, and said so"] = ("store_false", Made("store_false", e =>
        {
            if (e.Status == 200)
            {
                e.Change(r => r["store"] = true);
            }
        })),

        ["a deletion that does nothing"] = ("delete", Once((e, _) =>
        {
            e.Answer(200, $$"""{"id":"{{e.Path.Split('/')[^1]}}","object":"response","deleted":true}""");
            return Task.CompletedTask;
        }, e => e is { Method: "DELETE", Case: "delete" })),
        ["a deletion that is not said"] = ("delete", At("DELETE", "delete", e => e.Change(r => r["deleted"] = false))),
        ["a response that changes"] = ("delete", At("GET", "delete", e =>
        {
            if (e.Status == 200)
            {
                e.Change(r => r["created_at"] = 1);
            }
        })),
        ["a deleted response that can be continued"] = ("delete", Made("delete", e =>
        {
            if (e.Status == 400)
            {
                e.Answer(200, "{}");
            }
        })),

        ["responses that are mixed up"] = ("concurrency", MixUp()),
        ["inputs that are mixed up"] = ("concurrency", InputItems("concurrency", items => items[0]!["content"]![0]!["text"] = "Say the number 9.")),
        ["one id for all"] = ("concurrency", Made("concurrency", e => e.Change(r => (r["id"], r["store"]) = ("resp_one", false)))),
        ["a bug at load"] = ("concurrency", Made("concurrency", e =>
        {
            if (e.Mark == "at-once-5")
            {
                e.Answer(500, ServerError);
            }
        })),

        ["a background response that never ends"] = ("background", At("GET", "background", e => e.Change(r => r["status"] = "in_progress"))),
        ["a background response that fails"] = ("background", At("GET", "background", e => e.Change(r => (r["status"], r["error"]) = ("failed", new JsonObject())))),
        ["a background response that is waited for"] = ("background", Made("background", e => e.Change(r => r["status"] = "completed"))),
        ["a background response that is lost"] = ("background", At("GET", "background", e => e.Answer(404, ServerError))),
        ["a cancellation that breaks"] = ("cancel", At("POST", "cancel", e => e.Answer(500, ServerError))),
        ["a foreground response that is cancelled"] = ("cancel", At("POST", "cancel", e =>
        {
            if (e.Status == 400)
            {
                e.Answer(200, "{}");
            }
        })),
        ["a cancelled response that goes on"] = ("cancel", At("GET", "cancel", e => e.Change(r => (r["status"], r["error"]) = ("failed", new JsonObject())))),

        ["a count of nothing"] = ("input_tokens", At("/v1/responses/input_tokens", e => e.Change(r => r["input_tokens"] = 0))),
        ["an estimate that is always the same"] = ("input_tokens", At("/v1/responses/input_tokens", e => e.Change(r => (r["input_tokens"], r["estimated"]) = (5, true)))),
        ["a count without its member"] = ("input_tokens", At("/v1/responses/input_tokens", e => e.Change(r => r.Remove("input_tokens")))),
        ["an error without its parameter"] = ("bad_input", Made("bad_input", e => e.Change(r => r["error"]!["param"] = null))),
        ["an error without its members"] = ("bad_input", Made("bad_input", e => e.Change(r => r["error"]!.AsObject().Remove("type")))),
        ["an error of another kind"] = ("bad_input", Made("bad_input", e => e.Status = 422)),
        ["an unknown model with another code"] = ("unknown_model", Where(
            e => e is { IsCreate: true, Status: 400 } && e.RequestBody.Contains("no-such-model", StringComparison.Ordinal), e => e.Change(r => r["error"]!["code"] = "invalid_value"))),
        ["an unknown model that is listed"] = ("unknown_model", At("/v1/models/gateway-check-no-such-model", e => e.Answer(200, """{"id":"gateway-check-no-such-model","object":"model"}"""))),
        ["a base path that is not served"] = ("base_paths", At("/inference/v1/responses", e => e.Answer(404, ServerError))),
        ["a base path in the other dialect"] = ("base_paths", At("/inference/v1/responses", e => e.Change(r => r["usage"] = new JsonObject { ["input_tokens"] = 1, ["output_tokens"] = 1, ["total_tokens"] = 2 }))),
    };

    public static TheoryData<string> Names => [.. Breakages.Keys];

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Breakage_FailsItsCaseAndNoOther(string name)
    {
        var (broken, breakage) = Breakages[name];
        await using var proxy = await BrokenGateway.StartAsync(fixture.Gateway.BaseAddress, breakage);

        // Short only for what never ends: everything else is over in a moment.
        var check = await CheckOutput.RunAsync(proxy.Address, ["--json", "--timeout", name.Contains("never ends", StringComparison.Ordinal) ? "5" : "60"], interrupted: Cancellation);

        Assert.True(check.Names("fail").SequenceEqual([broken]), check.Output + check.Errors);
        Assert.Equal(1, check.ExitCode);
        using var kept = await fixture.Gateway.Client.GetAsync(new Uri("/v1/responses", UriKind.Relative), Cancellation);
        Assert.Empty((await Reply.ReadAsync(kept)).AssertOk().Each("data"));
    }

    [Fact]
    public async Task NothingBroken_NothingFails()
    {
        await using var proxy = await BrokenGateway.StartAsync(fixture.Gateway.BaseAddress, (_, forward) => forward());

        var check = await CheckOutput.RunAsync(proxy.Address, ["--json"], interrupted: Cancellation);

        Assert.True(check.ExitCode == 0, check.Output);
    }

    [Fact]
    public void EveryCase_CanFail() => Assert.Equal(Gateway.Check.CheckCases.All.Select(one => one.Name).Order(), Breakages.Values.Select(broken => broken.Case).Distinct().Order());

    /// <summary>Changes the answers on a path.</summary>
    private static Breakage At(string path, Action<Exchange> change) => Where(e => e.Path == path, change);

    /// <summary>Changes the answers about the responses that a case made.</summary>
    private static Breakage At(string method, string name, Action<Exchange> change) => Where(e => e.Method == method && e.Case == name && !e.IsCreate && !e.Path.EndsWith("/input_items", StringComparison.Ordinal), change);

    /// <summary>Changes the answers to the responses that a case makes.</summary>
    private static Breakage Made(string name, Action<Exchange> change) => Where(e => e.IsCreate && e.Case == name, change);

    private static Breakage InputItems(string name, Action<JsonArray> change) =>
        Where(e => e.Path.EndsWith("/input_items", StringComparison.Ordinal) && e.Case == name, e => e.Change(list => change(list["data"]!.AsArray())));

    private static Breakage Stream(Func<List<string>, IEnumerable<string>> change) => Made("stream", e => e.ChangeEvents(change));

    private static Breakage Where(Func<Exchange, bool> isIt, Action<Exchange> change) => async (e, forward) =>
    {
        await forward();
        if (isIt(e))
        {
            change(e);
        }
    };

    private static Breakage Once(Breakage breakage, Func<Exchange, bool> isIt)
    {
        var left = 1;
        return (e, forward) => isIt(e) && Interlocked.Exchange(ref left, 0) == 1 ? breakage(e, forward) : forward();
    }

    /// <summary>Responses say that they go on from others, and do not.</summary>
    private static async Task ForgetChainAsync(Exchange exchange, Func<Task> forward)
    {
        JsonNode? parent = null;
        if (exchange is { IsCreate: true, Case: "chain" })
        {
            exchange.ChangeRequest(r => r.Remove("previous_response_id", out parent));
        }

        await forward();
        if (parent is not null)
        {
            exchange.Change(r => r["previous_response_id"] = parent.DeepClone());
        }
    }

    /// <summary>Responses say that they are not stored, and are.</summary>
    private static async Task StoreAllAsync(Exchange exchange, Func<Task> forward)
    {
        var isMeant = exchange is { IsCreate: true, Case: "store_false" };
        if (isMeant)
        {
            exchange.ChangeRequest(r => r["store"] = true);
        }

        await forward();
        if (isMeant && exchange.Status == 200)
        {
            exchange.Change(r => r["store"] = false);
        }
    }

    /// <summary>Two requests that are made at once get each other's answers.</summary>
    private static Breakage MixUp()
    {
        var answers = new Dictionary<string, TaskCompletionSource<string>> { ["at-once-2"] = new(), ["at-once-3"] = new() };
        return async (e, forward) =>
        {
            await forward();
            if (e.Mark is "at-once-2" or "at-once-3")
            {
                answers[e.Mark].SetResult(e.Body);
                e.Body = await answers[e.Mark == "at-once-2" ? "at-once-3" : "at-once-2"].Task.WaitAsync(Cancellation);
            }
        };
    }

    private static bool IsOf(string block, string type) => block.StartsWith($"event: {type}\n", StringComparison.Ordinal);

    private static List<string> Without(List<string> events, string type)
    {
        events.RemoveAt(events.FindIndex(block => IsOf(block, type)));
        return events;
    }

    /// <summary>The same events, numbered from 0 as they stand.</summary>
    private static IEnumerable<string> Numbered(List<string> events) =>
        events.Select((block, i) => System.Text.RegularExpressions.Regex.Replace(block, "\"sequence_number\":\\d+", $"\"sequence_number\":{i}"));

    private static IEnumerable<JsonNode> Calls(JsonObject response) =>
        (response["output"] as JsonArray ?? []).Select(item => item!).Where(item => item["type"]!.GetValue<string>() == "function_call");

    /// <summary>One gateway with the demo model for all: each check leaves it as it was.</summary>
    public sealed class Fixture : IAsyncLifetime
    {
        internal TestGateway Gateway { get; private set; } = null!;

        public async ValueTask InitializeAsync() => Gateway = await TestGateway.StartAsync(new TestGatewayOptions());

        public ValueTask DisposeAsync() => Gateway.DisposeAsync();
    }
}
