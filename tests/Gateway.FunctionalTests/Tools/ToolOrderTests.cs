using Gateway.Testing.Mcp;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Calls of one round run at the same time, and are told in the model's order.</summary>
public sealed class ToolOrderTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task TextAndReasoningBetweenRounds_AreItemsOfTheirOwn(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(
            Calls(("srv__echo", Echo("a"))) with { Reasoning = "Hm.", Text = "First." },
            Calls(("srv__echo", Echo("b")), ("srv__echo", Echo("c"))) with { Reasoning = "So." },
            ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["mcp_list_tools", "reasoning", "message", "mcp_call", "reasoning", "mcp_call", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(("First.", "Done."), (response.Text("output[2].content[0].text"), response.Text("output[7].content[0].text")));
        Assert.Equal(response.Each("output").Count(), response.Each("output").Select(item => item.Text("id")).Distinct().Count());
        Assert.Equal((33, 21), (response.Number("usage.input_tokens"), response.Number("usage.output_tokens")));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task CallsOfOneRound_RunAtTheSameTimeAndAnswerInOrder(bool streamed)
    {
        await StartAsync();
        var second = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Server.Add(
            new TestMcpTool("first", async (_, _, cancellationToken) =>
            {
                await second.Task.WaitAsync(cancellationToken);
                return TestMcpTools.Text("1");
            }),
            new TestMcpTool("second", (_, _, _) =>
            {
                second.SetResult();
                return Task.FromResult(TestMcpTools.Text("2"));
            }));
        Upstream.Enqueue(Calls(("srv__first", "{}"), ("srv__second", "{}")), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["1", "2"], response.Each("output").Where(item => item.Text("type") == "mcp_call").Select(item => item.Text("output")));
        Assert.Equal(["tool: 1", "tool: 2"], Prompt.TakeLast(2));
    }

    [Fact]
    public async Task CallsAtTheSameTime_AreLimited()
    {
        await StartAsync(("Gateway:Tools:ParallelCalls", "2"));
        using var held = new HeldMcpTool();
        var (running, most) = (0, 0);
        Server.Add(held.Tool with
        {
            Handler = async (arguments, meta, cancellationToken) =>
            {
                most = Math.Max(most, Interlocked.Increment(ref running));
                var result = await held.Tool.Handler(arguments, meta, cancellationToken);
                Interlocked.Decrement(ref running);
                return result;
            },
        });
        Upstream.Enqueue(Calls(Enumerable.Range(0, 5).Select(i => ("srv__held", $$"""{"n":{{i}}}"""))), ChatAnswer.Say("Done."));
        var response = CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        for (var i = 0; i < 5; i++)
        {
            await held.ReachedAsync(Cancellation);
            if (i > 0)
            {
                held.Release();
            }
        }

        held.Release();

        Assert.Equal("Done.", (await response).OutputText());
        Assert.Equal((2, 5), (most, Server.Calls.Count));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task OneCallOnly_RunsOneARound(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("a")), ("srv__echo", Echo("b"))), Calls(("srv__echo", Echo("c")), ("srv__echo", Echo("d"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","parallel_tool_calls":false,"tools":[{{Mcp()}}]}""", streamed);

        Assert.Equal(["a", "c"], Server.Calls.Select(call => (string?)call.Arguments!["message"]));
        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(
            ["user: Go", """assistant: srv__echo({"message":"a"})""", "tool: Echo: a", """assistant: srv__echo({"message":"c"})""", "tool: Echo: c"], Prompt);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task OneCallOnly_OfTheClient_RunsNothing(bool streamed)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("get_weather", "{}"), ("srv__echo", Echo("a"))));

        var response = await CreateAsync(
            $$$"""{"input":"Go","parallel_tool_calls":false,"tools":[{{{Mcp()}}},{"type":"function","name":"get_weather","parameters":{"type":"object"}}]}""", streamed);

        Assert.Equal(["mcp_list_tools", "function_call"], response.Types("output"));
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task PooledSecondResponse_ConnectsAndListsNoMore()
    {
        await StartAsync();
        Upstream.Default = request => (request["messages"]!.AsArray().Count == 1 ? Calls(("srv__echo", Echo("hi"))) : ChatAnswer.Say("Done.")).For(request);
        await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        var before = Server.Requests.Count;

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(["mcp_list_tools", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(["tools/call"], Server.Requests.Skip(before).Where(request => request.HttpMethod == "POST").Select(request => request.Method));
    }
}
