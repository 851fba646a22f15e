using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Gateway.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Upstream;

public sealed class PassthroughTests
{
    [Theory]
    [InlineData("/v1/chat/completions", "/v1/chat/completions")]
    [InlineData("/inference/v1/chat/completions", "/v1/chat/completions")]
    [InlineData("/v1/completions", "/v1/completions")]
    [InlineData("/v1/embeddings?x=1", "/v1/embeddings")]
    [InlineData("/v1/rerank", "/v1/rerank")]
    [InlineData("/v1/score", "/v1/score")]
    [InlineData("/v1/audio/speech", "/v1/audio/speech")]
    [InlineData("/v1/images/generations", "/v1/images/generations")]
    [InlineData("/v1/tokenize", "/v1/tokenize")]
    [InlineData("/v1/tools/deep/down", "/v1/tools/deep/down")]
    public async Task Post_ListedPath_ArrivesUnchanged(string path, string expected)
    {
        await using var server = await FakeServer.AnswerAsync(201, """{"odd" : "spacing"}""", "application/json; x=y");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Passthrough:Paths:0"] = "tokenize";
        settings["Gateway:Passthrough:Paths:1"] = "tools/*";
        await using var host = await UpstreamHost.StartAsync(settings);

        using var response = await PostAsync(host, path, """{ "model" :"m", "x": [1,2] }""");

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("""{"odd" : "spacing"}""", await response.Content.ReadAsStringAsync());
        Assert.Equal("application/json; x=y", response.Content.Headers.ContentType!.ToString());
        var seen = Assert.Single(server.Requests);
        Assert.Equal(expected, seen.Path);
        Assert.Equal("""{ "model" :"m", "x": [1,2] }""", seen.Text);
    }

    [Theory]
    [InlineData("/v1/files")]
    [InlineData("/v1/batches")]
    [InlineData("/v1/vector_stores")]
    [InlineData("/v1/audio/%2e%2e%2fadmin")]
    [InlineData("/v1/audio/..%5cadmin")]
    [InlineData("/admin")]
    public async Task Post_OtherPath_NeverReachesTheServer(string path)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        using var response = await PostAsync(host, path, """{"model":"m"}""");

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Post_Credentials_AreTheGatewaysOwn()
    {
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.Headers.SetCookie = "upstream=1";
            await context.Response.WriteAsync("{}");
        });
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:ApiKey"] = "upstream-key";
        await using var host = await UpstreamHost.StartAsync(settings);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/embeddings") { Content = new StringContent("""{"model":"m"}""") };
        request.Headers.TryAddWithoutValidation("Authorization", "Bearer client-key");
        request.Headers.TryAddWithoutValidation("Cookie", "session=client");
        request.Headers.TryAddWithoutValidation("x-api-key", "client-key");
        request.Headers.TryAddWithoutValidation("X-Kept", "yes");

        using var response = await host.Client.SendAsync(request);

        var seen = Assert.Single(server.Requests);
        Assert.Equal("Bearer upstream-key", seen.Headers["Authorization"]);
        Assert.DoesNotContain(seen.Headers, h => h.Value.Contains("client", StringComparison.Ordinal));
        Assert.Equal("yes", seen.Headers["X-Kept"]);
        Assert.Equal(new Uri(server.Address).Authority, seen.Headers["Host"]);
        Assert.False(response.Headers.Contains("Set-Cookie"));
    }

    [Fact]
    public async Task Post_WithoutUpstreamKey_SendsNone()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        host.Client.DefaultRequestHeaders.Add("Authorization", "Bearer client-key");

        using var response = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");

        Assert.False(Assert.Single(server.Requests).Headers.ContainsKey("Authorization"));
    }

    [Fact]
    public async Task Post_Stream_ArrivesByteForByteAndEventByEvent()
    {
        var read = new SemaphoreSlim(0);
        string[] events = [": ping\r\n\r\n", "data: {\"a\":\"\u00e9\u4e2d\"}\n\n", "event: odd\ndata:x\n\n", "data: [DONE]\n\n"];
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            foreach (var one in events)
            {
                await context.Response.WriteAsync(one);
                await context.Response.Body.FlushAsync();
                // The next one is written only when the client has this one: nothing on the way may hold it back.
                Assert.True(await read.WaitAsync(TimeSpan.FromSeconds(10)));
            }
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent("""{"model":"m","stream":true}""") };

        using var response = await host.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        await using var body = await response.Content.ReadAsStreamAsync();
        foreach (var one in events.Select(Encoding.UTF8.GetBytes))
        {
            var got = new byte[one.Length];
            await body.ReadExactlyAsync(got);
            Assert.Equal(one, got);
            read.Release();
        }

        Assert.Equal(-1, body.ReadByte());
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_ModelLastInABigBody_IsFoundAndItsAliasReplaced(bool chunked)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Models:1"] = "alias=org/real \"name\"";
        await using var host = await UpstreamHost.StartAsync(settings);
        var big = new string('x', 5_000_000);
        var head = $$"""{"messages":[{"model":"inner","content":"{{big}}"}],"a":{"model":"inner"},"model": """;
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(head + "\"alias\" }") };
        request.Headers.TransferEncodingChunked = chunked;

        using var response = await host.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var seen = Assert.Single(server.Requests).Text;
        Assert.StartsWith(head, seen, StringComparison.Ordinal);
        using var json = JsonDocument.Parse(seen);
        Assert.Equal("org/real \"name\"", json.RootElement.GetProperty("model").GetString());
    }

    [Fact]
    public async Task Post_Multipart_ModelFieldIsFoundAndItsAliasReplaced()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Models:1"] = "whisper=org/whisper-large";
        await using var host = await UpstreamHost.StartAsync(settings);
        var audio = new byte[300_000];
        new Random(1).NextBytes(audio);
        using var form = new MultipartFormDataContent("-----edge");
        form.Add(new ByteArrayContent(audio), "file", "a.wav");
        form.Add(new StringContent("whisper"), "model");
        form.Add(new StringContent("json"), "response_format");
        var expected = Encoding.Latin1.GetString(await form.ReadAsByteArrayAsync()).Replace("\r\n\r\nwhisper\r\n", "\r\n\r\norg/whisper-large\r\n", StringComparison.Ordinal);

        using var response = await host.Client.PostAsync("/v1/audio/transcriptions", form);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var seen = Assert.Single(server.Requests);
        Assert.Equal(expected, Encoding.Latin1.GetString(seen.Body));
        Assert.StartsWith("multipart/form-data", seen.Headers["Content-Type"], StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("", 400, "|We could not parse")]
    [InlineData("[]", 400, "|We could not parse")]
    [InlineData("{\"model\":\"m\"", 400, "|We could not parse")]
    [InlineData("{\"model\":\"m\"} x", 400, "|We could not parse")]
    [InlineData("{}", 400, "missing_required_parameter|")]
    [InlineData("{\"model\":\"\"}", 400, "missing_required_parameter|")]
    [InlineData("{\"model\":7}", 400, "invalid_type|")]
    [InlineData("{\"model\":\"m\",\"mod\\u0065l\":\"other\"}", 400, "invalid_value|")]
    [InlineData("{\"model\":\"nobody-has-it\"}", 404, "model_not_found|")]
    public async Task Post_BadBody_IsTheCataloguesError(string body, int status, string expected)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        using var response = await PostAsync(host, "/v1/chat/completions", body);

        Assert.Equal(status, (int)response.StatusCode);
        Assert.StartsWith(expected, await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Post_BodyOverTheServersLimit_Is413(bool chunked)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(
            UpstreamHost.Settings(server.Address),
            s => s.Configure<Microsoft.AspNetCore.Server.Kestrel.Core.KestrelServerOptions>(k => k.Limits.MaxRequestBodySize = 100_000));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = new StringContent(new string(' ', 200_000)) };
        request.Headers.TransferEncodingChunked = chunked;

        using var response = await host.Client.SendAsync(request);

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
        Assert.StartsWith("request_too_large|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_KeptAliveConnectionClosedByTheServer_IsRepeatedOnAFreshOne()
    {
        await using var server = new RawServer((_, request) => request > 0 ? null : RawServer.Json("{}"));
        await using var host = await UpstreamHost.StartAsync(server.Address);

        for (var i = 0; i < 3; i++)
        {
            using var response = await PostAsync(host, "/v1/chat/completions", """{"model":"m"}""");
            Assert.Equal("{}", await response.Content.ReadAsStringAsync());
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public async Task Post_ConnectionRefused_GoesToAnotherDestination()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing(), server.Address);

        for (var i = 0; i < 4; i++)
        {
            using var response = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        }
    }

    [Fact]
    public async Task Post_NobodyListens_IsUnavailable()
    {
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing());

        using var response = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.StartsWith("upstream_unavailable|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_ServerError_GoesElsewhereAndTheLastOneIsPassedOn()
    {
        await using var sick = await FakeServer.AnswerAsync(503, """{"error":"sick"}""");
        await using var well = await FakeServer.AnswerAsync(200, "{}");
        await using var both = await UpstreamHost.StartAsync(sick.Address, well.Address);
        for (var i = 0; i < 2; i++)
        {
            using var answer = await PostAsync(both, "/v1/embeddings", """{"model":"m"}""");
            Assert.Equal("{}", await answer.Content.ReadAsStringAsync());
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }

        await using var alone = await UpstreamHost.StartAsync(sick.Address);
        using var response = await PostAsync(alone, "/v1/embeddings", """{"model":"m"}""");

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("""{"error":"sick"}""", await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Post_UpstreamRefusesTheKey_IsNotTheClients401()
    {
        await using var server = await FakeServer.AnswerAsync(401, """{"error":"key upstream-key is wrong"}""");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        using var response = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");

        Assert.Equal(HttpStatusCode.BadGateway, response.StatusCode);
        Assert.StartsWith("upstream_auth|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_SilentServer_TimesOut()
    {
        await using var server = await FakeServer.StartAsync(async context =>
            await FakeServer.HangAsync(context));
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:FirstByteTimeout"] = "00:00:00.200";
        settings["Gateway:Upstreams:main:IdleTimeout"] = "00:00:00.100";
        await using var host = await UpstreamHost.StartAsync(settings);

        using var response = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");

        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.StartsWith("upstream_timeout|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Post_ClientLeaves_CancelsTheUpstream()
    {
        var arrived = new TaskCompletionSource();
        var aborted = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.RequestAborted.Register(() => aborted.TrySetResult());
            arrived.TrySetResult();
            await aborted.Task;
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var leave = new CancellationTokenSource();

        var posting = host.Client.PostAsync("/v1/chat/completions", new StringContent("""{"model":"m"}"""), leave.Token);
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await leave.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => posting);
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Models_AreListedAndFoundByNamesWithSlashes()
    {
        await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, "org/model-1", "plain");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?> { ["Gateway:Upstreams:main:Address"] = server.Address });

        using var list = JsonDocument.Parse(await host.Client.GetStringAsync("/v1/models"));
        using var one = JsonDocument.Parse(await host.Client.GetStringAsync("/inference/v1/models/org/model-1"));
        using var unknown = await host.Client.GetAsync("/v1/models/unknown");

        Assert.Equal("list", list.RootElement.GetProperty("object").GetString());
        Assert.Equal(["org/model-1", "plain"], list.RootElement.GetProperty("data").EnumerateArray().Select(m => m.GetProperty("id").GetString()));
        Assert.Equal("org/model-1", one.RootElement.GetProperty("id").GetString());
        Assert.Equal("model", one.RootElement.GetProperty("object").GetString());
        Assert.Equal("main", one.RootElement.GetProperty("owned_by").GetString());
        Assert.True(one.RootElement.GetProperty("created").GetInt64() > 1_700_000_000);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.StartsWith("model_not_found|", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    /// <summary>SDKs escape the slash: their path has one part for the name.</summary>
    [Theory]
    [InlineData("/v1/models/org%2Fmodel-1")]
    [InlineData("/inference/v1/models/org%2fmodel-1")]
    public async Task Model_WithAnEscapedSlash_IsFound(string path)
    {
        await using var server = await FakeServer.StartAsync(_ => Task.CompletedTask, "org/model-1");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?> { ["Gateway:Upstreams:main:Address"] = server.Address });

        using var one = JsonDocument.Parse(await host.Client.GetStringAsync(path));

        Assert.Equal("org/model-1", one.RootElement.GetProperty("id").GetString());
    }

    [Fact]
    public async Task ModelFilter_HidesModelsEverywhere()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Models:1"] = "secret";
        await using var host = await UpstreamHost.StartAsync(settings, s => s.AddSingleton<PassthroughModelFilter>(
            (_, model) => model == "secret" ? ApiError.ModelNotFound(model) with { Status = 404 } : null));

        Assert.DoesNotContain("secret", await host.Client.GetStringAsync("/v1/models"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await host.Client.GetAsync("/v1/models/secret")).StatusCode);
        using var refused = await PostAsync(host, "/v1/embeddings", """{"model":"secret"}""");
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);
        using var served = await PostAsync(host, "/v1/embeddings", """{"model":"m"}""");
        Assert.Equal(HttpStatusCode.OK, served.StatusCode);
        Assert.Single(server.Requests);
    }

    [Fact]
    public async Task ReverseProxySection_ServesTheOperatorsOwnRoutes()
    {
        await using var server = await FakeServer.AnswerAsync(200, "own");
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings["ReverseProxy:Routes:r:ClusterId"] = "c";
        settings["ReverseProxy:Routes:r:Match:Path"] = "/own/{**rest}";
        settings["ReverseProxy:Clusters:c:Destinations:d:Address"] = new Uri(server.Address).GetLeftPart(UriPartial.Authority);
        await using var host = await UpstreamHost.StartAsync(settings);

        Assert.Equal("own", await host.Client.GetStringAsync("/own/thing"));
    }

    private static Task<HttpResponseMessage> PostAsync(UpstreamHost host, string path, string body) =>
        host.Client.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
}
