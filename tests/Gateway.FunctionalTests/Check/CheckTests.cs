using System.Text.Json.Nodes;
using Gateway.Testing;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Check;

/// <summary><c>gateway check</c> against gateways that keep their contract, with model servers that can more or less.</summary>
public sealed class CheckTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Key = "key-of-a-tenant-7f3a";
    private const string AdminKey = "key-of-an-administrator-91bc";

    [Fact]
    public async Task Demo_PassesAll()
    {
        await UseGatewayAsync(new TestGatewayOptions());

        var check = await RunAsync();

        Assert.Equal(
            $"""
            {Gateway.BaseAddress.AbsoluteUri.TrimEnd('/')}, model demo, at most 60 s for a case

            case               result       time  detail
            health             pass       0.00 s  ready: process ok, store ok, upstreams ok
            models             pass       0.00 s  1 listed
            basic              pass       0.00 s  completed, 2 tokens in, 2 out
            stream             pass       0.00 s  10 events, completed, 2 tokens in, 2 out
            function_call      pass       0.00 s  called with arguments, output taken, completed, 6 tokens in, 4 out
            structured_output  pass       0.00 s  fits the schema, completed, 9 tokens in, 9 out
            reasoning          limited    0.00 s  effort taken; no reasoning is told by this model
            images             pass       0.00 s  taken, completed, 4 tokens in, 4 out
            chain              pass       0.00 s  a prompt of 41 tokens, and of 4 alone
            store_false        pass       0.00 s  not found afterwards
            delete             pass       0.00 s  given as made, not found afterwards
            concurrency        pass       0.00 s  8 at once, each its own
            background         pass       0.00 s  completed, 2 tokens in, 2 out
            cancel             pass       0.00 s  CANCELLED
            input_tokens       pass       0.00 s  3 and 12 tokens
            bad_input          pass       0.00 s  6 requests refused as they must be
            unknown_model      pass       0.00 s  400 and 404 model_not_found
            base_paths         pass       0.00 s  /v1, /inference/v1

            17 pass, 1 limited, 0 fail, 0 skipped

            """,
            // The demo may be faster than a cancellation.
            check.Timeless.Replace("had ended before: completed", "CANCELLED", StringComparison.Ordinal).Replace("  cancelled\n", "  CANCELLED\n", StringComparison.Ordinal));
        Assert.Equal((0, ""), (check.ExitCode, check.Errors));
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task Report_ForMachines_HasEveryCase()
    {
        await UseGatewayAsync(new TestGatewayOptions());

        var check = await RunAsync("--json", "--only", "unknown_model,health");

        Assert.Equal(
            $$"""
            {
              "object": "gateway.check",
              "url": "{{Gateway.BaseAddress.AbsoluteUri.TrimEnd('/')}}",
              "model": "demo",
              "result": "pass",
              "cases": [
                {
                  "name": "health",
                  "result": "pass",
                  "seconds": 0,
                  "detail": "ready: process ok, store ok, upstreams ok"
                },
                {
                  "name": "unknown_model",
                  "result": "pass",
                  "seconds": 0,
                  "detail": "400 and 404 model_not_found"
                }
              ],
              "still_stored": [],
              "upstreams": null,
              "upstreams_problem": null
            }

            """,
            System.Text.RegularExpressions.Regex.Replace(check.Output, @"""seconds"": [\d.]+", "\"seconds\": 0"));
        Assert.Equal(0, check.ExitCode);
    }

    [Fact]
    public async Task ModelThatDoesMore_PassesReasoningAndTools()
    {
        Upstream.Default = request => Answer(request, reasoning: "I think.").For(request);

        var check = await RunAsync("--json");

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.Equal([], check.Names("limited"));
        Assert.Equal("1 reasoning items, 0 reasoning tokens", check.Detail("reasoning"));
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task ModelThatOnlyTalks_IsLimited()
    {
        var check = await RunAsync("--json");

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.Equal(["function_call", "structured_output", "reasoning", "chain", "input_tokens"], check.Names("limited"));
        Assert.Equal("the model server counts 11 tokens whatever it is sent: what it was told is not seen", check.Detail("chain"));
        Assert.Equal("the model called no function: completed, 11 tokens in, 7 out", check.Detail("function_call"));
        Assert.Equal("the model's answer is no JSON object", check.Detail("structured_output"));
        Assert.Empty(check.Names("fail"));
    }

    [Fact]
    public async Task ServerThatRefusesFeatures_IsLimited()
    {
        Upstream.Default = request =>
            request.ContainsKey("tools") || request.ContainsKey("response_format") || request["messages"]!.ToJsonString().Contains("image_url", StringComparison.Ordinal)
                ? ChatScript.Of(400, """{"error":{"message":"That is too much for me.","type":"BadRequestError","code":400}}""")
                : ChatAnswer.Say("Hello.").For(request);

        var check = await RunAsync("--json");

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.Equal(["function_call", "structured_output", "reasoning", "images", "chain", "input_tokens"], check.Names("limited"));
        Assert.Equal("refused by the model server: 400 no code", check.Detail("images"));
        Assert.DoesNotContain("too much", check.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("""{"city":"Paris"}""", "the model's answer does not fit the schema")]
    [InlineData("""{"city":"Paris","population":2,"more":1}""", "the model's answer does not fit the schema")]
    [InlineData("""{"city":"Paris","population":"many"}""", "the model's answer does not fit the schema")]
    [InlineData("""[1]""", "the model's answer is no JSON object")]
    public async Task AnswerThatDoesNotFit_IsLimited(string text, string detail)
    {
        Upstream.Default = ChatAnswer.Say(text).For;

        var check = await RunAsync("--json", "--only", "structured_output");

        Assert.Equal(["structured_output"], check.Names("limited"));
        Assert.Equal(detail, check.Detail("structured_output"));
    }

    [Theory]
    [InlineData("other_function", "{}", "the model called a function that it was not given")]
    [InlineData("look_up", "{\"country\":", "the model's arguments are no JSON object")]
    public async Task CallThatIsWrong_IsLimited(string name, string arguments, string detail)
    {
        Upstream.Default = ChatAnswer.Call(new ChatToolCall("call_1", name, arguments)).For;

        var check = await RunAsync("--json", "--only", "function_call");

        Assert.Equal(["function_call"], check.Names("limited"));
        Assert.Equal(detail, check.Detail("function_call"));
    }

    [Fact]
    public async Task SlowModel_IsCancelled()
    {
        var hold = new ChatScript { Steps = [new HoldStep()] };
        Upstream.Default = request => request["messages"]!.ToJsonString().Contains("one thousand", StringComparison.Ordinal) ? hold : ChatAnswer.Say("Hello.").For(request);

        var check = await RunAsync("--json", "--only", "cancel");

        Assert.Equal(["cancel"], check.Names("pass"));
        Assert.Equal("cancelled", check.Detail("cancel"));
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task CutModel_PassesWhatNeedsNoEnd()
    {
        Upstream.Default = request => (ChatAnswer.Say("and so on and on") with { FinishReason = "length" }).For(request);

        var check = await RunAsync("--json", "--only", "basic,stream,structured_output,background");

        Assert.Equal(["basic", "stream", "background"], check.Names("pass"));
        Assert.Equal(["structured_output"], check.Names("limited"));
        Assert.Equal("incomplete (max_output_tokens), 11 tokens in, 7 out", check.Detail("basic"));
    }

    [Fact]
    public async Task ServerThatIsDown_Fails()
    {
        Upstream.Default = _ => ChatScript.Of(503, "{}");

        var check = await RunAsync("--json", "--only", "health,models,basic,stream,images");

        Assert.Equal(["health", "models"], check.Names("pass"));
        Assert.Equal(["basic", "stream", "images"], check.Names("fail"));
        Assert.Equal("POST /v1/responses: 503 upstream_unavailable instead of 200", check.Detail("basic"));
        Assert.Equal(1, check.ExitCode);
    }

    [Fact]
    public async Task NoModel_FailsAndSkips()
    {
        await UseOwnUpstreamAsync();
        Upstream.Models = [];
        await UseGatewayAsync(new TestGatewayOptions { Upstreams = new Dictionary<string, Uri> { ["main"] = Upstream.Address } });

        var check = await RunAsync("--json", "--only", "models,basic");

        Assert.Equal(("no model is listed: is a model server up?", "no model is known"), (check.Detail("models"), check.Detail("basic")));
        Assert.Equal(1, check.ExitCode);
        Assert.Equal(1, (await RunAsync("--only", "basic")).ExitCode);
    }

    [Fact]
    public async Task LimitOfTheTenant_IsToldAsSuch()
    {
        await UseOwnGatewayAsync(("Gateway:Limits:OpenStreams", "2"));
        var hold = new HoldStep();
        var held = 0;
        // Two are held until the others have been refused.
        Upstream.Default = request => ChatAnswer.Say("Hello.").For(request) is var script && Interlocked.Increment(ref held) <= 2 ? script with { Steps = [hold, .. script.Steps] } : script;
        var check = RunAsync("--json", "--only", "concurrency");
        await Gateway.Metrics.WaitForSumAsync("gateway.errors", 6);
        hold.Release();

        Assert.Equal("6 of 8 were refused by a limit", (await check).Detail("concurrency"));
        Assert.Equal(0, (await check).ExitCode);
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task PolicyThatStoresNothing_SkipsWhatIsAboutStoring()
    {
        await UseOwnGatewayAsync(("Gateway:Policy:Store", "Never"));

        var check = await RunAsync("--json");

        Assert.True(check.ExitCode == 0, check.Output);
        Assert.Equal(["chain", "delete", "background", "cancel"], check.Names("skipped"));
        Assert.Equal("nothing is stored with this key", check.Detail("cancel"));
    }

    [Fact]
    public async Task NameThatAPatternLetsThrough_IsLimited()
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:Models:2", "*"));

        var check = await RunAsync("--json", "--only", "models,unknown_model", "--model", "any-name");

        Assert.Equal("a pattern lets every name through, and the model server answers to all", check.Detail("unknown_model"));
        Assert.Equal("1 listed; any-name is not among them", check.Detail("models"));
    }

    /// <summary>As most of those that model servers name after where they come from.</summary>
    [Fact]
    public async Task ModelWithASlash_Passes()
    {
        await UseOwnUpstreamAsync();
        Upstream.Models = ["org/model 7b"];
        await UseGatewayAsync(new TestGatewayOptions { Upstreams = new Dictionary<string, Uri> { ["main"] = Upstream.Address } });

        var check = await RunAsync("--json", "--only", "models");

        Assert.Equal("1 listed", check.Detail("models"));
        Assert.Equal("org/model 7b", check.Json.Text("model"));
    }

    /// <summary>Servers refuse an answer that could be longer than what their window leaves for it.</summary>
    [Fact]
    public async Task ModelWithASmallWindow_DoesNotFail()
    {
        Upstream.Default = request => request["max_tokens"]!.GetValue<int>() > 512
            ? ChatScript.Of(400, """{"error":{"message":"max_tokens is too large.","type":"BadRequestError","code":400}}""")
            : ChatAnswer.Say("Hello.").For(request);

        var check = await RunAsync("--json");

        Assert.Empty(check.Names("fail"));
        Assert.Equal(["function_call", "structured_output", "reasoning", "chain", "input_tokens"], check.Names("limited"));
    }

    [Fact]
    public async Task Keys_AreSentAndNeverPrinted()
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:acme:Keys:0", Key), ("Gateway:Admin:Keys:0", AdminKey), ("Gateway:Upstreams:main:Health:Path", ""));

        foreach (var args in (string[][])[["--json"], []])
        {
            var check = await CheckOutput.RunAsync(Gateway.BaseAddress, args, Key + "\n", AdminKey, Cancellation);

            Assert.True(check.ExitCode == 0, check.Output + check.Errors);
            Assert.DoesNotContain(Key, check.Output, StringComparison.Ordinal);
            Assert.DoesNotContain(AdminKey, check.Output, StringComparison.Ordinal);
        }

        var refused = await CheckOutput.RunAsync(Gateway.BaseAddress, [], "another-key", null, Cancellation);
        Assert.Equal((2, ""), (refused.ExitCode, refused.Output));
        Assert.Equal($"gateway check: the gateway at {Gateway.BaseAddress} refuses the key: 401 invalid_api_key. GATEWAY_API_KEY is read from the environment.\n", refused.Errors);
        // Everybody may ask for the health.
        Assert.Equal(0, (await RunAsync("--only", "health")).ExitCode);
    }

    [Fact]
    public async Task KeyThatIsToldBack_IsNotPrinted()
    {
        await using var proxy = await BrokenGateway.StartAsync(Gateway.BaseAddress, async (e, forward) =>
        {
            await forward();
            if (e.IsCreate)
            {
                e.Answer(500, $$$"""{"error":{"message":"{{{Key}}}","type":"x","param":null,"code":"{{{Key}}}\u001b[2J"}}""");
            }
        });

        var check = await CheckOutput.RunAsync(proxy.Address, ["--only", "basic"], Key, null, Cancellation);

        Assert.Contains("500 [key]?[2J instead of 200", check.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(Key, check.Output, StringComparison.Ordinal);
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task Capabilities_AreShownToAdministrators()
    {
        await using var server = await RecordedServer.StartAsync("sglang");
        await UseGatewayAsync(new TestGatewayOptions
        {
            Settings = new Dictionary<string, string>
            {
                ["Gateway:Admin:Keys:0"] = AdminKey,
                ["Gateway:Upstreams:main:Address"] = server.Address,
                ["Gateway:Upstreams:main:Health:Path"] = "",
                ["Gateway:Probing:Enabled"] = "true",
            },
        });
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(20));
        while ((await GetAsync("/admin/upstreams", AdminKey)).AssertOk().Each("data").Single().Text("probe.status") != "complete")
        {
            await polls.WaitForNextTickAsync(Cancellation);
        }

        var check = await CheckOutput.RunAsync(Gateway.BaseAddress, ["--only", "health"], null, AdminKey, Cancellation);

        Assert.EndsWith(
            """
            1 pass, 0 limited, 0 fail, 0 skipped

            upstream main: profile sglang, 1 of 1 destinations available
              server   sglang 0.5.3, asked: complete
              yes      stream_usage, system_role, consecutive_user_messages, tools, tool_choice_required, tool_choice_named, parallel_tool_calls, empty_content_with_calls, json_schema, tokenize_endpoint
              no       late_system_message, developer_role
              other    null_content_with_calls printed, reasoning_field reasoning_content

            """,
            check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Capabilities_ThatAreNotTold_AreNoFailure()
    {
        var check = await CheckOutput.RunAsync(Gateway.BaseAddress, ["--only", "health"], null, AdminKey, Cancellation);

        Assert.EndsWith("upstreams: no /admin/upstreams here (404): Gateway:Admin:Keys is empty, or it has a port of its own (--admin-url)\n", check.Output, StringComparison.Ordinal);
        Assert.Equal(0, check.ExitCode);
    }

    [Fact]
    public async Task Nobody_IsToldWith2()
    {
        var free = FreePort();

        var check = await CheckOutput.RunAsync(free, [], interrupted: Cancellation);
        var health = await CheckOutput.RunAsync(free, ["--only", "health"], interrupted: Cancellation);

        Assert.Equal((2, "", $"gateway check: no gateway answers at {free}: ConnectionError.\n"), (check.ExitCode, check.Output, check.Errors));
        // For probes of containers, to which 2 means nothing.
        Assert.Equal(1, health.ExitCode);
        Assert.Contains("health             fail       0.00 s  no answer: ConnectionError", health.Timeless, StringComparison.Ordinal);
    }

    [Fact]
    public async Task HealthThatIsKeptInside_IsSkipped_AndAloneNoSuccess()
    {
        await using var proxy = await BrokenGateway.StartAsync(Gateway.BaseAddress, (e, forward) =>
        {
            if (!e.Path.StartsWith("/health", StringComparison.Ordinal))
            {
                return forward();
            }

            e.Answer(404, "");
            return Task.CompletedTask;
        });

        Assert.Equal(1, (await CheckOutput.RunAsync(proxy.Address, ["--only", "health"], interrupted: Cancellation)).ExitCode);
        var both = await CheckOutput.RunAsync(proxy.Address, ["--json", "--only", "health,models"], interrupted: Cancellation);
        Assert.Equal((0, "/health/ready is not let through here"), (both.ExitCode, both.Detail("health")));
    }

    [Fact]
    public async Task WhatCannotBeDeleted_IsToldAndAFailure()
    {
        await using var proxy = await BrokenGateway.StartAsync(Gateway.BaseAddress, async (e, forward) =>
        {
            await forward();
            if (e.Method == "DELETE")
            {
                e.Answer(500, "{}");
            }
        });

        var check = await CheckOutput.RunAsync(proxy.Address, ["--json", "--only", "basic"], interrupted: Cancellation);

        Assert.Equal(1, check.ExitCode);
        Assert.Equal(["basic"], check.Names("pass"));
        Assert.StartsWith("resp_", check.Json.Each("still_stored").Single().GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Interrupted_DeletesWhatIsMade_AndSkipsTheRest()
    {
        await UseOwnGatewayAsync();
        using var interruption = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var hold = new ChatScript { Steps = [new HoldStep()] };
        Upstream.Enqueue(ChatAnswer.Say("Kept until the end of its case."));
        Upstream.Enqueue(hold);

        var running = CheckOutput.RunAsync(Gateway.BaseAddress, ["--json", "--only", "chain,delete"], interrupted: interruption.Token);
        await hold.Hold.Reached.WaitAsync(Cancellation);
        await interruption.CancelAsync();
        var check = await running;

        Assert.Equal(130, check.ExitCode);
        Assert.Equal(("interrupted", "interrupted", "interrupted"), (check.Json.Text("result"), check.Detail("chain"), check.Detail("delete")));
        await AssertNothingIsKeptAsync();
    }

    [Fact]
    public async Task CaseThatTakesTooLong_Fails()
    {
        Upstream.Default = _ => new ChatScript { Steps = [new HoldStep()] };

        var check = await RunAsync("--json", "--timeout", "1", "--only", "stream");

        Assert.Equal("not over within 1 s (--timeout)", check.Detail("stream"));
        Assert.Equal(1, check.ExitCode);
    }

    [Fact]
    public async Task ConnectionThatBreaks_Fails()
    {
        await using var proxy = await BrokenGateway.StartAsync(Gateway.BaseAddress, async (e, forward) =>
        {
            await forward();
            if (e.IsCreate)
            {
                throw new IOException("The proxy breaks.");
            }
        });

        var check = await CheckOutput.RunAsync(proxy.Address, ["--json", "--only", "basic"], interrupted: Cancellation);

        Assert.Equal(["basic"], check.Names("fail"));
        await AssertNothingIsKeptAsync();
    }

    private static ChatAnswer Answer(JsonObject request, string? reasoning) => request switch
    {
        _ when request["messages"]!.AsArray()[^1]!["role"]!.GetValue<string>() == "tool" => ChatAnswer.Say("So it is Paris."),
        _ when request.ContainsKey("tools") => ChatAnswer.Call(new ChatToolCall("call_1", "look_up", """{"country":"France"}""")),
        _ when request.ContainsKey("response_format") => ChatAnswer.Say("""{"city":"Paris","population":2000000}"""),
        _ => ChatAnswer.Say(request["messages"]!.ToJsonString()) with { Reasoning = reasoning, Usage = new ChatUsage(request["messages"]!.ToJsonString().Length, 7) },
    };

    private Task<CheckOutput> RunAsync(params string[] args) => CheckOutput.RunAsync(Gateway.BaseAddress, args, interrupted: Cancellation);

    private async Task AssertNothingIsKeptAsync() => Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));

    /// <summary>An address at which nobody listens.</summary>
    private static Uri FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return new Uri($"http://{listener.LocalEndpoint}/");
    }
}
