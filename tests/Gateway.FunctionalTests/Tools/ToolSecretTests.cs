using System.Text;
using Gateway.Testing;
using Gateway.Testing.Mcp;
using Gateway.Testing.Redis;
using Gateway.Testing.Scripting;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Tools;

/// <summary>Credentials of tool servers go to those servers and nowhere else.</summary>
public sealed class ToolSecretTests(GatewayFixture fixture) : McpTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Token = "tk-5ecret-0f-the-client";
    private const string HeaderValue = "hv-5ecret-0f-the-client";
    private const string QueryValue = "qv-5ecret-0f-the-client";
    private const string OperatorKey = "ok-5ecret-0f-the-operator";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Credentials_ReachTheServerOnly_WithSqlite(bool streamed)
    {
        using var folder = new TemporaryFolder();
        var gateway = await StartAsync(folder.Path, null);

        await AssertSecretsStayAsync(gateway, streamed);

        // The lock file is held, and empty.
        var files = Directory.GetFiles(folder.Path, "*", SearchOption.AllDirectories).Where(file => new FileInfo(file).Length > 0).ToArray();
        Assert.NotEmpty(files);
        Assert.All(files, file => AssertNoSecret(ReadShared(file), file));
    }

    [Fact]
    public async Task Credentials_ReachTheServerOnly_WithRedis()
    {
        var redis = Own(await RedisProcess.StartAsync());
        var gateway = await StartAsync(null, redis.EndPoint);

        await AssertSecretsStayAsync(gateway, streamed: false);

        await using var connection = await ConnectionMultiplexer.ConnectAsync(redis.EndPoint + ",allowAdmin=true");
        var keys = connection.GetServers().Single().Keys(pageSize: 1000).ToArray();
        Assert.NotEmpty(keys);
        foreach (var key in keys)
        {
            AssertNoSecret(key.ToString(), "a key");
            AssertNoSecret(await ReadAsync(connection.GetDatabase(), key), key.ToString());
        }
    }

    [Fact]
    public async Task WrongCredentials_AreNotInTheErrorEither()
    {
        var gateway = await StartAsync(null, null);
        Server.RequiredBearer = "another";

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{SecretMcp()}}]}"""));

        reply.AssertError(424, "http_error", "tools", "external_connector_error");
        AssertNoSecret(reply.Body, "the error");
        AssertNoSecret(gateway.Logs.Text, "the logs");
    }

    [Fact]
    public async Task Credentials_OfOneRequest_AreNotUsedByAnother()
    {
        await StartAsync(null, null);
        await CreateAsync($$"""{"input":"Go","tools":[{{SecretMcp()}}]}""");

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{Mcp()}}]}"""));

        reply.AssertError(424, "http_error", "tools", "external_connector_error");
    }

    [Fact]
    public async Task Arguments_AndOutputs_AreNotLogged()
    {
        var gateway = await StartAsync(null, null);
        Upstream.Enqueue(Calls(("srv__echo", Echo("words of the user"))), ChatAnswer.Say("Done."));

        await CreateAsync($$"""{"input":"Go","tools":[{{SecretMcp()}}]}""");

        Assert.Single(Server.Calls);
        Assert.DoesNotContain("words of the user", gateway.Logs.Text, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NamedServer_IsUsedByItsLabelAlone_AndItsKeyIsNeverShown(bool streamed)
    {
        await StartAsync(server => [
            ("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri), ("Gateway:Tools:Servers:own:ApiKey", OperatorKey),
            ("Gateway:Tools:Servers:own:Headers:X-Extra", HeaderValue), ("Gateway:Tools:Servers:own:AllowedTools:0", "echo"),
            ("Gateway:Tools:AllowedHosts:0", "203.0.113.1"),
        ]);
        Server.RequiredBearer = OperatorKey;
        Server.RequiredHeader = ("X-Extra", HeaderValue);
        Upstream.Enqueue(Calls(("own__echo", Echo("hi")), ("own__add", """{"a":1,"b":2}""")), ChatAnswer.Say("Done."));
        const string tool = """{"type":"mcp","server_label":"own","require_approval":"never"}""";

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{tool}}]}""", streamed);

        Assert.Equal(["echo"], response.Each("output[0].tools").Select(listed => listed.Text("name")));
        Assert.Equal(["own__echo"], Upstream.Calls[0].Body["tools"]!.AsArray().Select(offered => (string?)offered!["function"]!["name"]));
        Assert.Equal(["echo"], Server.Calls.Select(call => call.Name));
        Assert.Equal(["tool: Echo: hi", "tool: There is no tool 'own__add'."], Prompt.TakeLast(2));
        Assert.Equal(tool, response.At("tools[0]").GetRawText());
        AssertNoSecret(response.GetRawText(), "the response");
        AssertNoSecret(Gateway.Logs.Text, "the logs");
        Assert.Equal(["own"], Gateway.Metrics.Of("gateway.tool.call.duration").Select(m => (string?)m.Tags["tool"]));
    }

    [Fact]
    public async Task NamedServersLabelWithAUrlOfTheClients_GetsNoKey()
    {
        var other = Own(await TestMcpServer.StartAsync());
        other.Add(TestMcpTools.Echo);
        await StartAsync(server => [("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri), ("Gateway:Tools:Servers:own:ApiKey", OperatorKey)]);

        await CreateAsync($$"""{"input":"Go","tools":[{{Mcp("own", server: other)}}]}""");

        Assert.NotEmpty(other.Requests);
        Assert.All(other.Requests, request => Assert.False(request.Headers.ContainsKey("Authorization")));
        Assert.Empty(Server.Requests);
    }

    [Fact]
    public async Task ApprovedCall_GoesToTheWholeUrlThatTheApprovingRequestBrings()
    {
        await StartAsync(null, null);
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."));
        var asked = await CreateAsync($$"""{"input":"Go","tools":[{{SecretMcp("always")}}]}""");

        var response = await CreateAsync($$"""
            {"previous_response_id":"{{asked.Text("id")}}","tools":[{{SecretMcp("always")}}],
             "input":[{"type":"mcp_approval_response","approval_request_id":"{{asked.Text("output[1].id")}}","approve":true}]}
            """);

        Assert.Equal("Echo: hi", response.Text("output[0].output"));
        Assert.Equal($"?key={QueryValue}", Assert.Single(Server.Calls).Query);
        AssertNoSecret(asked.GetRawText() + response.GetRawText(), "the responses");
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task NamedServerForBindingsOnly_CanNotBeNamedByARequest(bool withUrl)
    {
        await StartAsync(server => [
            ("Gateway:Tools:Servers:own:Url", server.Endpoint.AbsoluteUri), ("Gateway:Tools:Servers:own:ApiKey", OperatorKey),
            ("Gateway:Tools:Servers:own:Requests", "false"), ("Gateway:Tools:Bindings:web_search:Server", "own"), ("Gateway:Tools:Bindings:web_search:Tool", "echo"),
            ("Gateway:Tools:Bindings:web_search:Arguments:message", "query"),
        ]);
        Server.RequiredBearer = OperatorKey;
        var tool = withUrl ? Mcp("own") : """{"type":"mcp","server_label":"own"}""";

        var reply = await PostAsync(WithModel($$"""{"input":"Go","tools":[{{tool}}]}"""));

        if (withUrl)
        {
            // A URL of the client's under that label is the client's, and gets no key.
            reply.AssertError(424, "http_error", "tools", "external_connector_error");
            return;
        }

        reply.AssertError(400, "missing_required_parameter", "tools[0].server_url");
        Assert.Empty(Server.Requests);
        Upstream.Enqueue(Calls(("web_search", """{"query":"cats"}""")), ChatAnswer.Say("Done."));
        await CreateAsync("""{"input":"Go","tools":[{"type":"web_search"}]}""");
        Assert.Equal("tool: Echo: cats", Prompt.Last());
    }

    [Fact]
    public async Task LabelThatNoServerHas_NeedsAUrl()
    {
        var reply = await PostAsync(WithModel("""{"input":"Go","tools":[{"type":"mcp","server_label":"unknown"}]}"""));

        reply.AssertError(400, "missing_required_parameter", "tools[0].server_url");
    }

    private async Task<TestGateway> StartAsync(string? storePath, string? redis)
    {
        Server = Own(await TestMcpServer.StartAsync());
        Server.Add(TestMcpTools.Echo);
        Server.RequiredBearer = Token;
        Server.RequiredHeader = ("X-Api-Key", HeaderValue);
        await UseOwnUpstreamAsync();
        return await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, ("Gateway:Tools:AllowedHosts:0", "127.0.0.1")) with { StorePath = storePath, Redis = redis });
    }

    private string SecretMcp(string approval = "never") =>
        Mcp(approval: approval, more: $$$""","authorization":"{{{Token}}}","headers":{"X-Api-Key":"{{{HeaderValue}}}"}""")
            .Replace(Server.Endpoint.AbsoluteUri, $"{Server.Endpoint}?key={QueryValue}", StringComparison.Ordinal);

    private async Task AssertSecretsStayAsync(TestGateway gateway, bool streamed)
    {
        Upstream.Enqueue(Calls(("srv__echo", Echo("hi"))), ChatAnswer.Say("Done."), Calls(("srv__echo", Echo("again"))), ChatAnswer.Say("Done."));

        var response = await CreateAsync($$"""{"input":"Go","tools":[{{SecretMcp()}}]}""", streamed);
        var next = await CreateAsync($$"""{"input":"More","previous_response_id":"{{response.Text("id")}}","tools":[{{SecretMcp()}}]}""", streamed);

        Assert.Equal(2, Server.Calls.Count);
        Assert.Equal(["type", "server_label", "server_url", "require_approval"], response.At("tools[0]").EnumerateObject().Select(member => member.Name));
        Assert.Equal(Server.Endpoint.AbsoluteUri, response.Text("tools[0].server_url"));
        Assert.All(Server.Requests, request => Assert.Equal($"?key={QueryValue}", request.Query));
        AssertNoSecret(response.GetRawText() + next.GetRawText(), "the response");
        AssertNoSecret((await GetAsync("/v1/responses/" + response.Text("id"))).AssertOk().GetRawText(), "the stored response");
        AssertNoSecret((await GetAsync($"/v1/responses/{response.Text("id")}/input_items")).AssertOk().GetRawText(), "the input items");
        AssertNoSecret(gateway.Logs.Text, "the logs");
        Assert.All(Upstream.Calls, call => AssertNoSecret(Encoding.UTF8.GetString(call.RawBody.Span) + string.Join('\n', call.Headers), "the prompt"));
    }

    private static void AssertNoSecret(string text, string where)
    {
        foreach (var secret in (string[])[Token, HeaderValue, QueryValue, OperatorKey])
        {
            Assert.False(text.Contains(secret, StringComparison.Ordinal), $"'{secret}' is in {where}.");
        }
    }

    private static string ReadShared(string file)
    {
        using var stream = new FileStream(file, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        using var copy = new MemoryStream();
        stream.CopyTo(copy);
        return Encoding.Latin1.GetString(copy.ToArray());
    }

    private static async Task<string> ReadAsync(IDatabase database, RedisKey key) => await database.KeyTypeAsync(key) switch
    {
        RedisType.String => Text(await database.StringGetAsync(key)),
        RedisType.Hash => string.Join('\n', (await database.HashGetAllAsync(key)).Select(entry => Text(entry.Name) + Text(entry.Value))),
        RedisType.SortedSet => string.Join('\n', (await database.SortedSetRangeByRankAsync(key)).Select(Text)),
        RedisType.Set => string.Join('\n', (await database.SetMembersAsync(key)).Select(Text)),
        RedisType.List => string.Join('\n', (await database.ListRangeAsync(key)).Select(Text)),
        var type => throw new Xunit.Sdk.XunitException($"The test can not read a {type}."),
    };

    private static string Text(RedisValue value) => Encoding.Latin1.GetString((byte[]?)value ?? []);
}
