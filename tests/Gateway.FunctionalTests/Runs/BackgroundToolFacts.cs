using System.Text;
using Gateway.FunctionalTests.Responses;
using Gateway.Store;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Runs;

/// <summary>Server-run tools of background responses, and the credentials that they need.</summary>
public abstract class BackgroundToolFacts(GatewayFixture fixture) : RunTest(fixture)
{
    private const string Token = "tk-5ecret-0f-the-client";
    private const string QueryValue = "qv-5ecret-0f-the-client";
    private const string Key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    [Fact]
    public async Task Tools_RunInTheBackground_AndTheStreamIsLegal()
    {
        await StartHereAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("srv__failing", "{}")), ChatAnswer.Say("Done."));

        var stream = await StreamAsync($$"""{"background":true,"input":"Go","tools":[{{Mcp()}}]}""");

        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_call", "message"], stream.Final.Types("output"));
        Assert.Equal(("Echo: hi", "failed"), (stream.Final.Text("output[1].output"), stream.Final.Text("output[2].status")));
        Assert.Equal(stream.Final.GetRawText(), (await GetAsync("/v1/responses/" + stream.Id)).AssertOk().GetRawText());
    }

    [Theory]
    [InlineData("true")]
    [InlineData("false")]
    public async Task Approvals_AreAskedAndAnsweredInTheBackground(string approve)
    {
        await StartHereAsync();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));
        var tool = Mcp(approval: "always");
        var asked = await PollAsync((await QueueAsync($$"""{"input":"Go","tools":[{{tool}}]}""")).Text("id")!, "completed");
        Assert.Equal(["mcp_list_tools", "mcp_approval_request"], asked.Types("output"));
        var answer = $$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{tool}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":{{approve}}}]}
            """;

        var done = await PollAsync((await QueueAsync(answer)).Text("id")!, "completed");

        Assert.Equal(approve == "true" ? ["mcp_call", "message"] : ["message"], done.Types("output"));
        Assert.Equal(approve == "true" ? 1 : 0, Server.Calls.Count);

        // A no may be said again; a yes is used up.
        await PollAsync((await QueueAsync(answer)).Text("id")!, approve == "true" ? "failed" : "completed");
        Assert.Equal(approve == "true" ? 1 : 0, Server.Calls.Count);
    }

    [Fact]
    public async Task Cancel_WhileACallRuns_EndsTheCall()
    {
        using var held = new HeldMcpTool();
        await StartHereAsync();
        Server.Add(held.Tool);
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("srv__held", "{}")));
        using var response = await OpenAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""");
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = await ReadEventsAsync(reader, 1);
        await held.ReachedAsync(Cancellation);

        var cancelled = (await CancelAsync(IdOf(seen[0]))).AssertOk();

        await held.CancelledAsync(Cancellation);
        Assert.Equal("cancelled", cancelled.Text("status"));
        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_call"], cancelled.Types("output"));
        Assert.Equal(("Echo: hi", "failed"), (cancelled.Text("output[1].output"), cancelled.Text("output[2].status")));
        Assert.Equal((11, 7), (cancelled.Number("usage.input_tokens"), cancelled.Number("usage.output_tokens")));
        var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation));
        Assert.Equal(cancelled.GetRawText(), stream.Final.GetRawText());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Cancel_WhileNobodyMakesIt_KeepsTheCallsAndTheUsage(bool streamed)
    {
        await StartHereAsync();
        var script = Held();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")), ("srv__failing", "{}"))).Enqueue(script);
        using var response = streamed ? await OpenAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""") : null;
        using var reader = response is null ? null : new StreamReader(await response.Content.ReadAsStreamAsync(Cancellation));
        var seen = reader is null ? [] : await ReadEventsAsync(reader, 1);
        var id = reader is null ? (await QueueAsync($$"""{"input":"Go","tools":[{{Mcp()}}]}""")).Text("id")! : IdOf(seen[0]);
        await script.Hold.Reached;
        Assert.True(ResponseId.TryParse(id, out var responseId));
        var run = new RunKey("default", responseId);
        var runs = Gateway.Services.GetRequiredService<IRunStore>();

        await runs.ReleaseAsync(run, 1, Cancellation);
        await runs.CancelAsync(run, Cancellation);

        var cancelled = await PollAsync(id, "cancelled");
        Assert.Equal(["mcp_list_tools", "mcp_call", "mcp_call"], cancelled.Types("output").Take(3));
        Assert.Equal(("Echo: hi", "completed"), (cancelled.Text("output[1].output"), cancelled.Text("output[1].status")));
        Assert.Equal("failed", cancelled.Text("output[2].status"));
        Assert.Equal((11, 7), (cancelled.Number("usage.input_tokens"), cancelled.Number("usage.output_tokens")));
        Assert.Equal(2, Server.Calls.Count);
        Assert.Equal(2, Upstream.Calls.Count);
        if (reader is not null)
        {
            var stream = ResponseStream.Parse(string.Concat(seen) + await reader.ReadToEndAsync(Cancellation), wasResumed: true);
            Assert.Equal(cancelled.GetRawText(), stream.Final.GetRawText());
        }
    }

    [Theory]
    [InlineData("authorization")]
    [InlineData("headers")]
    [InlineData("query")]
    public async Task Credentials_AreKeptSealed(string where)
    {
        using var folder = new TemporaryFolder();
        var redis = OnRedis ? Own(await RedisProcess.StartAsync()) : null;
        await StartHereAsync(folder.Path, redis?.EndPoint, ("Gateway:Secrets:Keys:0", Key));
        var script = Held();
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi")))).Enqueue(script);
        var id = (await QueueAsync($$"""{"input":"Go","tools":[{{SecretMcp(where)}}]}""")).Text("id")!;
        await script.Hold.Reached;

        var running = (await GetAsync("/v1/responses/" + id)).AssertOk();
        Assert.Contains(id.Split('_')[^1][..8], await StoredAsync(folder.Path, redis), StringComparison.Ordinal);
        AssertNoSecret(await StoredAsync(folder.Path, redis));
        script.Hold.Release();
        var done = await PollAsync(id, "completed");

        Assert.Single(Server.Calls);
        AssertNoSecret(running.GetRawText() + done.GetRawText() + Gateway.Logs.Text);
        AssertNoSecret(await StoredAsync(folder.Path, redis));
        Assert.Equal(where == "query", Server.Requests.Any(request => request.Query.Contains(QueryValue, StringComparison.Ordinal)));
    }

    private protected async Task StartHereAsync(string? path = null, string? redis = null, params (string Key, string Value)[] settings)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo, TestMcpTools.Add, TestMcpTools.Failing);
        await UseOwnUpstreamAsync();
        await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, [("Gateway:Tools:AllowedHosts:0", "127.0.0.1"), .. settings]) with
        {
            Redis = !OnRedis ? null : redis ?? Own(await TestRedis.StartAsync()).ConnectionString,
            StorePath = path,
        });
    }

    private protected string SecretMcp(string where)
    {
        var url = where switch
        {
            "query" => $"{Server.Endpoint}?key={QueryValue}",
            "user" => Server.Endpoint.AbsoluteUri.Replace("://", $"://user:{QueryValue}@", StringComparison.Ordinal),
            _ => Server.Endpoint.AbsoluteUri,
        };
        var more = where switch
        {
            "authorization" => $",\"authorization\":\"{Token}\"",
            "headers" => $$""","headers":{"X-Key":"{{Token}}"}""",
            _ => "",
        };
        return $$"""{"type":"mcp","server_label":"srv","server_url":"{{url}}","require_approval":"never"{{more}}}""";
    }

    private static void AssertNoSecret(string text)
    {
        foreach (var secret in (string[])[Token, QueryValue])
        {
            Assert.DoesNotContain(secret, text, StringComparison.Ordinal);
            Assert.DoesNotContain(Convert.ToBase64String(Encoding.UTF8.GetBytes(secret))[..^4], text, StringComparison.Ordinal);
        }
    }

    /// <summary>All bytes of the store.</summary>
    private static async Task<string> StoredAsync(string folder, RedisProcess? redis)
    {
        var all = new StringBuilder();
        foreach (var file in Directory.GetFiles(folder, "*", SearchOption.AllDirectories).Where(file => new FileInfo(file).Length > 0))
        {
            await using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var copy = new MemoryStream();
            await stream.CopyToAsync(copy, Cancellation);
            all.Append(Encoding.Latin1.GetString(copy.ToArray()));
        }

        if (redis is not null)
        {
            await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
            foreach (var key in connection.GetServers().Single().Keys(pageSize: 1000))
            {
                var dump = await connection.GetDatabase().KeyTypeAsync(key) switch
                {
                    RedisType.String => [await connection.GetDatabase().StringGetAsync(key)],
                    RedisType.Hash => (await connection.GetDatabase().HashGetAllAsync(key)).SelectMany(entry => (RedisValue[])[entry.Name, entry.Value]).ToArray(),
                    RedisType.SortedSet => await connection.GetDatabase().SortedSetRangeByRankAsync(key),
                    RedisType.Set => await connection.GetDatabase().SetMembersAsync(key),
                    RedisType.List => await connection.GetDatabase().ListRangeAsync(key),
                    var type => throw new Xunit.Sdk.XunitException($"The test can not read a {type}."),
                };
                all.Append(key).AppendJoin('\n', dump.Select(value => Encoding.Latin1.GetString((byte[]?)value ?? [])));
            }
        }

        return all.ToString();
    }
}
