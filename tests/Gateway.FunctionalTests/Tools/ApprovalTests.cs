using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using Gateway.Store;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Calls that wait for the user's word: they run once when it is yes, whoever says it how often and where, and never when it is no.</summary>
public sealed class ApprovalTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("""{"never":{"tool_names":["add"]}}""", false)]
    [InlineData("""{"always":{"tool_names":["echo"]},"never":{"tool_names":["add","failing"]}}""", false)]
    [InlineData("""{"never":{"read_only":true}}""", true)]
    [InlineData("""{"never":{"tool_names":["echo"]}}""", true)]
    [InlineData("null", false)]
    [InlineData("{}", false)]
    public async Task Filters_DecideByTool(string approval, bool runs)
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{Asking(approval)}}]}""");

        Assert.Equal(runs ? ["mcp_list_tools", "mcp_call", "message"] : ["mcp_list_tools", "mcp_approval_request"], response.Types("output"));
        Assert.Equal(runs ? 1 : 0, Server.Calls.Count);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ApprovalWithANewMessage_RunsAndThenAnswersIt(bool streamed)
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}},{"role":"user","content":"And be quick"}]}
            """, streamed);

        Assert.Equal(["mcp_call", "message"], response.Types("output"));
        Assert.Equal(["user: Go", """assistant: srv__echo({"message":"hi"})""", "tool: Echo: hi", "user: And be quick"], Prompt);
    }

    [Fact]
    public async Task TwoApprovals_RunInTheirOrder()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("a")), ("srv__echo", Echo("b")), ("srv__echo", Echo("c")));
        Assert.Equal(["mcp_list_tools", "mcp_approval_request", "mcp_approval_request", "mcp_approval_request"], asked.Types("output"));

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}},{{Answer(asked, 2, "false")}},{{Answer(asked, 3)}}]}
            """);

        Assert.Equal(["mcp_call", "mcp_call", "message"], response.Types("output"));
        Assert.Equal(["a", "c"], Server.Calls.Select(call => (string?)call.Arguments!["message"]));
        Assert.Equal(["tool: Echo: a", "tool: The user declined this tool call.", "tool: Echo: c"], Prompt.TakeLast(3));
    }

    [Fact]
    public async Task ApprovalsOfTheSameCallTooOften_AreToldSo()
    {
        await StartAsync(("Gateway:Tools:RepeatedCalls", "1"));
        var asked = await AskAsync(("srv__echo", Echo("a")), ("srv__echo", Echo("a")));

        var response = await CreateAsync(
            $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}},{{Answer(asked, 2)}}]}""");

        Assert.Equal("This call was made before with the same arguments, too often. Use its earlier outputs.", response.Text("output[1].error"));
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task ApprovalOfOneOfTwo_LeavesTheOtherForLater()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("a")), ("srv__echo", Echo("b")));

        var first = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 2)}}]}""");
        Assert.Equal(["b"], Server.Calls.Select(call => (string?)call.Arguments!["message"]));

        await CreateAsync($$"""{"previous_response_id":"{{first.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");
        Assert.Equal(["b", "a"], Server.Calls.Select(call => (string?)call.Arguments!["message"]));
    }

    [Fact]
    public async Task StatelessReplay_RunsOnceToo()
    {
        await StartAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var asked = await CreateAsync($$"""{"store":false,"input":"Go","tools":[{{Asking()}}]}""");
        var items = string.Join(',', asked.Each("output").Select(item => item.GetRawText()));
        var again = $$"""{"store":false,"tools":[{{Asking()}}],"input":[{"role":"user","content":"Go"},{{items}},{{Answer(asked, 1)}}]}""";

        var response = await CreateAsync(again);

        Assert.Equal(["mcp_call", "message"], response.Types("output"));
        Assert.Equal(["user: Go", """assistant: srv__echo({"message":"hi"})""", "tool: Echo: hi"], Prompt);
        (await PostAsync(WithModel(again))).AssertError(400, "invalid_value", "input[3].approval_request_id");

        // The finished call, sent back as well, is history.
        var more = $$"""
            {"store":false,"tools":[{{Asking()}}],"input":[{"role":"user","content":"Go"},{{items}},{{Answer(asked, 1)}},{{response.At("output[0]").GetRawText()}},{"role":"user","content":"More"}]}
            """;
        Assert.Equal(["message"], (await CreateAsync(more)).Types("output"));
        Assert.Single(Server.Calls);
    }

    [Theory]
    [InlineData("\"required\"", true)]
    [InlineData("\"required\"", false)]
    [InlineData("""{"type":"mcp","server_label":"srv","name":"echo"}""", true)]
    [InlineData("""{"type":"mcp","server_label":"srv","name":"echo"}""", false)]
    public async Task ForcedChoice_IsRelaxedBehindTheApprovedCall(string choice, bool streamed)
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tool_choice":{{choice}},"tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}
            """, streamed);

        Assert.Equal(["mcp_call", "message"], response.Types("output"));
        Assert.Contains(Upstream.LastCall.Body["tool_choice"]?.ToJsonString(), (string?[])[null, "\"auto\""]);
    }

    [Fact]
    public async Task ForcedChoice_HoldsBehindARefusal()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tool_choice":"required","tools":[{{Asking()}}],"input":[{{Answer(asked, 1, "false")}}]}
            """);

        Assert.Equal("required", (string?)Upstream.LastCall.Body["tool_choice"]);
    }

    [Fact]
    public async Task ReplyToTheClaimIsLost_ApprovalMayBeGivenAgain()
    {
        var store = await StartWatchingClaimsAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var answer = $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""";
        store.AfterClaim = _ => throw new StoreUnavailableException("The reply is lost.");

        (await PostAsync(WithModel(answer))).AssertError(503, "store_unavailable", null, "server_error");
        Assert.Empty(Server.Calls);

        Assert.Equal("Echo: hi", (await CreateAsync(answer)).Text("output[0].output"));
        Assert.Single(Server.Calls);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task ClientLeavesBeforeTheApprovedCallBegins_ApprovalMayBeGivenAgain(string stream)
    {
        var store = await StartWatchingClaimsAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var answer = $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""";
        using var leave = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses")
        {
            Content = new StringContent(WithModel(answer.Replace("{\"previous", $"{{\"stream\":{stream},\"previous", StringComparison.Ordinal)), Encoding.UTF8, "application/json"),
        };
        store.AfterClaim = async requestAborted =>
        {
            var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using var registration = requestAborted.Register(left.SetResult);
            await leave.CancelAsync();
            await left.Task.WaitAsync(Cancellation);
        };

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Gateway.Client.SendAsync(request, leave.Token));

        await Gateway.Metrics.WaitForSumAsync("gateway.open_streams", 0);
        Assert.Empty(Server.Calls);
        Assert.Equal("Echo: hi", (await CreateAsync(answer)).Text("output[0].output"));
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task LabelNoLongerInTools_Is400AndTheApprovalStaysOpen()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        (await PostAsync(WithModel($$"""{"previous_response_id":"{{asked.Text("id")}}","input":[{{Answer(asked, 1)}}]}"""))).AssertError(400, "invalid_value", "tools");

        var response = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");
        Assert.Equal("Echo: hi", response.Text("output[0].output"));
    }

    [Fact]
    public async Task RefusedThenApproved_Is400()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var refused = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1, "false")}}]}""");

        var reply = await PostAsync(WithModel($$"""{"previous_response_id":"{{refused.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}"""));

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task RefusedInOneBranchAndApprovedInAnother_NeverRuns()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1, "false")}}]}""");

        var reply = await PostAsync(WithModel($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}"""));

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task ApprovedInOneBranchAndRefusedInAnother_Is400()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");

        var reply = await PostAsync(WithModel($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1, "false")}}]}"""));

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
    }

    [Fact]
    public async Task RefusedTwice_IsTheSameAnswerTwice()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var refusal = $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1, "false")}}]}""";

        await CreateAsync(refusal);
        await CreateAsync(refusal);

        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task ApprovedInOneBranchAndMuchLaterInAnother_RunsOnce()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with { Time = time });
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");
        time.Advance(TimeSpan.FromDays(20));
        var other = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":"Wait."}""");
        time.Advance(TimeSpan.FromDays(20));

        // The approval was given 40 days ago, and responses are kept for 30.
        var reply = await PostAsync(WithModel($$"""{"previous_response_id":"{{other.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}"""));

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
        Assert.Single(Server.Calls);
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task AnswerWithoutGeneration_Is400AndStaysOpen(string approve)
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        var reply = await PostAsync(WithModel(
            $$"""{"previous_response_id":"{{asked.Text("id")}}","generate":false,"tools":[{{Asking()}}],"input":[{{Answer(asked, 1, approve)}}]}"""));

        reply.AssertError(400, "invalid_value", "generate");
        var response = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");
        Assert.Equal("Echo: hi", response.Text("output[0].output"));
    }

    [Fact]
    public async Task AnswersOfTheHistoryWithoutGeneration_AreTaken()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var answered = await CreateAsync($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");

        var warm = await CreateAsync($$"""{"previous_response_id":"{{answered.Text("id")}}","generate":false,"input":"And?"}""");

        Assert.Empty(warm.Each("output"));
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task AnsweredTwiceInOneRequest_Is400AndNothingRuns()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        var reply = await PostAsync(WithModel(
            $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}},{{Answer(asked, 1)}}]}"""));

        reply.AssertError(400, "invalid_value", "input[1].approval_request_id");
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task ToolTakenOutOfAllowedTools_DoesNotRunAnyMore()
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{Mcp(approval: "always", more: ",\"allowed_tools\":[\"add\"]")}}],"input":[{{Answer(asked, 1)}}]}
            """);

        Assert.Equal("failed", response.Text("output[0].status"));
        Assert.Empty(Server.Calls);
    }

    [Fact]
    public async Task OtherTenant_KnowsNothingOfTheApproval()
    {
        await StartAsync(("Gateway:Tenants:one:Keys:0", "key-one"), ("Gateway:Tenants:two:Keys:0", "key-two"));
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{Asking()}}]}""", "key-one");

        var reply = await PostAsync(WithModel($$"""{"tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}"""), "key-two");

        reply.AssertError(400, "invalid_value", "input[0].approval_request_id");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task SameApprovalAtTheSameTime_RunsOnce(bool streamed)
    {
        await StartAsync();
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var answer = $$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}],"stream":{{(streamed ? "true" : "false")}}}""";

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PostAsync(WithModel(answer))));

        Assert.Single(Server.Calls);
        Assert.Single(replies, reply => (int)reply.Status == 200);
        Assert.All(replies.Where(reply => (int)reply.Status != 200), reply => reply.AssertError(400, "invalid_value", "input[0].approval_request_id"));
    }

    [Fact]
    public async Task SameApprovalOnTwoReplicasOverOneRedis_RunsOnce()
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        var redis = Own(await RedisProcess.StartAsync());
        var options = GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with
        {
            Redis = redis.EndPoint + ",abortConnect=false,connectTimeout=1000,syncTimeout=1000,asyncTimeout=1000",
        };
        var one = await UseGatewayAsync(options);
        var two = Own(await TestGateway.StartAsync(options));
        var asked = await AskAsync(("srv__echo", Echo("hi")));
        var answer = WithModel($$"""{"previous_response_id":"{{asked.Text("id")}}","tools":[{{Asking()}}],"input":[{{Answer(asked, 1)}}]}""");

        var replies = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => PostToAsync(i % 2 == 0 ? one : two, answer)));

        Assert.Single(Server.Calls);
        Assert.Single(replies, reply => (int)reply.Status == 200);
        Assert.All(replies.Where(reply => (int)reply.Status != 200), reply => reply.AssertError(400, "invalid_value", "input[0].approval_request_id"));

        // No store, no way to know who else has taken it: nothing runs.
        var other = await AskAsync(("srv__echo", Echo("other")));
        one.AllowedErrors = two.AllowedErrors = log => log.Category.StartsWith("Gateway.", StringComparison.Ordinal);
        await redis.KillAsync();
        var stateless = $$"""
            {"store":false,"tools":[{{Asking()}}],"input":[{"role":"user","content":"Go"},{{other.At("output[1]").GetRawText()}},{{Answer(other, 1)}}]}
            """;
        (await PostAsync(WithModel(stateless))).AssertError(503, "store_unavailable", null, "server_error");
        Assert.Single(Server.Calls);
    }

    [Fact]
    public async Task Fireworks_RunsWithoutAskingUnlessAskedTo()
    {
        await StartAsync();
        var tool = $$"""{"type":"mcp","server_label":"srv","server_url":"{{Server.Endpoint}}"}""";
        Upstream.Enqueue(Calls(("srv__echo", Echo("a"))), ChatAnswer.Say("Done."), Calls(("srv__echo", Echo("b"))));

        var unasked = (await PostAsync(WithModel($$"""{"input":"Go","tools":[{{tool}}]}"""), path: "/inference/v1/responses")).AssertOk();
        var asked = (await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Asking()}}]}"""), path: "/inference/v1/responses")).AssertOk();

        Assert.Equal(["message", "mcp_call", "tool_output", "message"], unasked.Types("output"));
        Assert.Equal("mcp_approval_request", asked.Types("output").Last());
        Assert.Single(Server.Calls);
    }

    private async Task<ClaimWatchingStore> StartWatchingClaimsAsync()
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with
        {
            ConfigureServices = static services => services
                .AddSingleton<IResponseStore>(ClaimWatchingStore.Create)
                .AddSingleton<IRunStore>(static provider => ((ClaimWatchingStore)provider.GetRequiredService<IResponseStore>()).Inner.Runs)
                .AddSingleton<IConversationStore>(static provider => ((ClaimWatchingStore)provider.GetRequiredService<IResponseStore>()).Inner.Conversations),
        });
        return (ClaimWatchingStore)Gateway.Services.GetRequiredService<IResponseStore>();
    }

    /// <summary>The server, with this <c>require_approval</c>.</summary>
    private string Asking(string approval = "\"always\"") =>
        $$"""{"type":"mcp","server_label":"srv","server_url":"{{Server.Endpoint}}","require_approval":{{approval}}}""";

    /// <summary>A response that asks for these calls.</summary>
    private Task<JsonElement> AskAsync(params IEnumerable<(string Name, string Arguments)> calls)
    {
        Upstream.Enqueue(Calls(calls));
        return CreateAsync($$"""{"input":"Go","tools":[{{Asking()}}]}""");
    }

    private static string Answer(JsonElement asked, int index, string approve = "true")
    {
        // A second question of a chain comes without another list.
        var requests = asked.Each("output").Where(item => item.Text("type") == "mcp_approval_request").ToArray();
        return $$"""{"type":"mcp_approval_response","approval_request_id":"{{requests[index - 1].Text("id")}}","approve":{{approve}}}""";
    }

    private static async Task<Reply> PostToAsync(TestGateway gateway, string json)
    {
        using var response = await gateway.Client.PostAsJsonAsync("/v1/responses", JsonElement.Parse(json), Cancellation);
        return await Reply.ReadAsync(response);
    }
}
