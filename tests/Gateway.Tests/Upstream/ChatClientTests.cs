using Gateway.Upstream;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Upstream;

public sealed class ChatClientTests
{
    [Fact]
    public async Task Send_PlainAnswer_GivesBodyAndSendsKeyAndHeaders()
    {
        await using var server = await FakeServer.AnswerAsync(200, """{"ok":true}""");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:ApiKey"] = "secret-upstream-key";
        settings["Gateway:Upstreams:main:Headers:X-Team"] = "blue";
        await using var host = await UpstreamHost.StartAsync(settings);

        await using var reply = await host.SendAsync("""{"model":"m"}""");

        Assert.Equal(UpstreamFailure.None, reply.Failure);
        Assert.False(reply.IsEventStream);
        Assert.Equal("""{"ok":true}""", await new StreamReader(reply.Body).ReadToEndAsync());
        var seen = Assert.Single(server.Requests);
        Assert.Equal("/v1/chat/completions", seen.Path);
        Assert.Equal("""{"model":"m"}""", seen.Text);
        Assert.Equal("Bearer secret-upstream-key", seen.Headers["Authorization"]);
        Assert.Equal("blue", seen.Headers["X-Team"]);
        Assert.Equal("application/json", seen.Headers["Accept"]);
        Assert.Equal("application/json", seen.Headers["Content-Type"]);
    }

    [Fact]
    public async Task Send_Stream_HandsOverTheBodyBeforeItsEnd()
    {
        var release = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await release.Task;
            await context.Response.WriteAsync("data: [DONE]\n\n");
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);

        await using var reply = await host.SendAsync(stream: true);
        using var reader = new StreamReader(reply.Body);

        Assert.True(reply.IsEventStream);
        Assert.Equal("data: 1", await reader.ReadLineAsync());
        release.SetResult();
        Assert.Equal("\ndata: [DONE]\n\n", await reader.ReadToEndAsync());
        Assert.Equal("text/event-stream", Assert.Single(server.Requests).Headers["Accept"]);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(RawServer.Reset)]
    public async Task Send_KeptAliveConnectionsClosedByTheServer_AreReplacedByAFreshOne(string? end)
    {
        // Three connections are kept alive, and the server closes each at its second request without a byte.
        var all = new TaskCompletionSource();
        var waiting = 0;
        await using var server = new RawServer((_, request) =>
        {
            if (request > 0)
            {
                return end;
            }

            if (Interlocked.Increment(ref waiting) == 3)
            {
                all.TrySetResult();
            }

            all.Task.Wait(TimeSpan.FromSeconds(10));
            return RawServer.Json("{}");
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);
        var first = await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => Task.Run(async () => await host.SendAsync())));
        foreach (var reply in first)
        {
            Assert.Equal("{}", await new StreamReader(reply.Body).ReadToEndAsync());
            await reply.DisposeAsync();
        }

        await using var next = await host.SendAsync();

        Assert.Equal(UpstreamFailure.None, next.Failure);
        Assert.Equal("{}", await new StreamReader(next.Body).ReadToEndAsync());
        Assert.Equal(4, server.Connections);
        Assert.Equal(5, server.Requests);
    }

    [Fact]
    public async Task Send_ServerThatAlwaysHangsUp_IsAFailureAfterOneFreshConnection()
    {
        await using var server = new RawServer((_, _) => null);
        await using var host = await UpstreamHost.StartAsync(server.Address);

        await using var reply = await host.SendAsync();

        Assert.Equal(UpstreamFailure.Connect, reply.Failure);
        Assert.Equal("upstream_unavailable", reply.Error!.Code);
        Assert.Equal(503, reply.Error.Status);
        Assert.Equal(2, server.Requests);
    }

    [Fact]
    public async Task Send_ConnectionRefused_GoesToAnotherDestination()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing(), server.Address);

        for (var i = 0; i < 4; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        Assert.Equal(4, server.Requests.Count);
    }

    [Fact]
    public async Task Send_AllRefuse_IsUnavailableWithRetryAfter()
    {
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Refusing(), UpstreamHost.Refusing());

        await using var reply = await host.SendAsync();

        Assert.Equal(UpstreamFailure.Connect, reply.Failure);
        Assert.Equal(503, reply.Error!.Status);
        Assert.NotNull(reply.Error.RetryAfter);
    }

    [Fact]
    public async Task Send_FiveDestinationsThatFail_AsksThreeOfThem()
    {
        var servers = new List<FakeServer>();
        for (var i = 0; i < 5; i++)
        {
            servers.Add(await FakeServer.AnswerAsync(500, """{"error":{"message":"CUDA error"}}"""));
        }

        await using var host = await UpstreamHost.StartAsync([.. servers.Select(s => s.Address)]);
        var call = host.Call();
        await using var reply = await host.Chat.SendAsync(call, default);

        Assert.Equal(UpstreamFailure.Refused, reply.Failure);
        Assert.Equal(3, servers.Sum(s => s.Requests.Count));
        Assert.All(servers, s => Assert.InRange(s.Requests.Count, 0, 1));
        Assert.Equal(3, call.Attempts);
        Assert.Equal(3, call.Tried.Count);
        foreach (var server in servers)
        {
            await server.DisposeAsync();
        }
    }

    [Theory]
    [InlineData(500)]
    [InlineData(502)]
    [InlineData(503)]
    [InlineData(504)]
    [InlineData(529)]
    [InlineData(429)]
    public async Task Send_OneDestinationRefuses_AnotherAnswers(int status)
    {
        await using var sick = await FakeServer.AnswerAsync(status, """{"error":{"message":"no"}}""");
        await using var well = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(sick.Address, well.Address);

        for (var i = 0; i < 2; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.Equal(UpstreamFailure.None, reply.Failure);
        }

        Assert.NotEmpty(sick.Requests);
        Assert.Equal(2, well.Requests.Count);
    }

    [Fact]
    public async Task Send_TemplateError500_IsTheClientsAndNotRetried()
    {
        const string Body = """{"error":{"code":500,"message":"raise_exception: Conversation roles must alternate","type":"server_error"}}""";
        await using var first = await FakeServer.AnswerAsync(500, Body);
        await using var second = await FakeServer.AnswerAsync(500, Body);
        await using var host = await UpstreamHost.StartAsync(first.Address, second.Address);

        await using var reply = await host.SendAsync();

        Assert.Equal(400, reply.Error!.Status);
        Assert.Equal(1, first.Requests.Count + second.Requests.Count);
    }

    [Theory]
    [InlineData(429, "rate_limit_exceeded", 7)]
    [InlineData(503, "upstream_unavailable", 7)]
    public async Task Send_RetryAfter_IsKept(int status, string code, int seconds)
    {
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.StatusCode = status;
            context.Response.Headers.RetryAfter = "7";
            await context.Response.WriteAsync("{}");
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);

        await using var reply = await host.SendAsync();

        Assert.Equal(status, reply.Error!.Status);
        Assert.Equal(code, reply.Error.Code);
        Assert.Equal(TimeSpan.FromSeconds(seconds), reply.Error.RetryAfter);
        Assert.Single(server.Requests);
    }

    [Theory]
    [InlineData(401)]
    [InlineData(403)]
    public async Task Send_CredentialsRefused_NeverLooksLikeTheClientsAndHoldsNoKey(int status)
    {
        await using var server = await FakeServer.AnswerAsync(status, """{"error":{"message":"Incorrect API key provided: my+odd+key+value"}}""");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:ApiKey"] = "my+odd+key+value";
        await using var host = await UpstreamHost.StartAsync(settings);

        await using var reply = await host.SendAsync();

        Assert.Equal(502, reply.Error!.Status);
        Assert.Equal("upstream_auth", reply.Error.Code);
        Assert.DoesNotContain("my+odd", reply.Error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_ErrorQuotesSecrets_TheyAreHidden()
    {
        await using var server = await FakeServer.AnswerAsync(
            400, """{"error":{"message":"bad request to http://10.1.2.3:8000/v1 with my+odd+key+value and header-secret-1"}}""");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:ApiKey"] = "my+odd+key+value";
        settings["Gateway:Upstreams:main:Headers:X-Secret"] = "header-secret-1";
        await using var host = await UpstreamHost.StartAsync(settings);

        await using var reply = await host.SendAsync();

        Assert.Equal("bad request to [url] with [key] and [key]", reply.Error!.Message);
        Assert.Contains("10.1.2.3", reply.UpstreamMessage!, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Send_ErrorQuotesTheTokenOfAHeaderWithoutItsScheme_ItIsHidden()
    {
        await using var server = await FakeServer.AnswerAsync(400, """{"error":{"message":"The account of Hunter2ForTheOperator has no credit."}}""");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Headers:Authorization"] = "Token Hunter2ForTheOperator";
        await using var host = await UpstreamHost.StartAsync(settings);

        await using var reply = await host.SendAsync();

        Assert.Equal("The account of [key] has no credit.", reply.Error!.Message);
    }

    [Fact]
    public async Task Send_HangBeforeHeaders_TimesOutByTheClock()
    {
        var arrived = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            arrived.TrySetResult();
            await FakeServer.HangAsync(context);
        });
        var time = new FakeTimeProvider();
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings(server.Address), s => s.AddSingleton<TimeProvider>(time));

        var sending = host.SendAsync().AsTask();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10));
        Assert.False(sending.IsCompleted);
        time.Advance(TimeSpan.FromMinutes(10));
        await using var reply = await sending.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(UpstreamFailure.FirstByteTimeout, reply.Failure);
        Assert.Equal(504, reply.Error!.Status);
        Assert.Equal("upstream_timeout", reply.Error.Code);
    }

    [Fact]
    public async Task Send_HeadersAfterALongWait_LeavesTheRestOfTheTimeToTheFirstChunk()
    {
        var time = new FakeTimeProvider();
        var arrived = new TaskCompletionSource();
        var release = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            arrived.TrySetResult();
            await release.Task;
            await context.Response.WriteAsync("{}");
        });
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings(server.Address), s => s.AddSingleton<TimeProvider>(time));

        var sending = host.SendAsync().AsTask();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10));
        time.Advance(TimeSpan.FromMinutes(6));
        release.SetResult();
        await using var reply = await sending.WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(TimeSpan.FromMinutes(4), reply.FirstByteTimeout);
    }

    [Fact]
    public async Task Send_ClientGivesUp_CancelsTheUpstreamAndThrows()
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
        using var cancel = new CancellationTokenSource();

        var sending = host.SendAsync(cancellationToken: cancel.Token).AsTask();
        await arrived.Task.WaitAsync(TimeSpan.FromSeconds(10));
        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Dispose_InTheMiddleOfAStream_CancelsTheUpstreamWithinASecond()
    {
        var aborted = new TaskCompletionSource();
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.RequestAborted.Register(() => aborted.TrySetResult());
            context.Response.ContentType = "text/event-stream";
            await context.Response.WriteAsync("data: 1\n\n");
            await context.Response.Body.FlushAsync();
            await aborted.Task;
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);
        var reply = await host.SendAsync(stream: true);
        var buffer = new byte[9];
        await reply.Body.ReadExactlyAsync(buffer);

        await reply.DisposeAsync();

        await aborted.Task.WaitAsync(TimeSpan.FromSeconds(1));
    }

    [Fact]
    public async Task Dispose_AfterDoneWasRead_ReusesTheConnection()
    {
        await using var server = new RawServer((_, _) =>
            "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\ne\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        for (var i = 0; i < 3; i++)
        {
            var reply = await host.SendAsync(stream: true);
            // Up to [DONE] and no further: the chunk that ends the body is not read.
            await reply.Body.ReadExactlyAsync(new byte[14]);
            await reply.DisposeAsync();
        }

        Assert.Equal(3, server.Requests);
        Assert.Equal(1, server.Connections);
    }

    [Fact]
    public async Task InFlight_IsCountedUntilDispose()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        Assert.True(host.Get<Yarp.ReverseProxy.IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var stats = host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]);

        var reply = await host.SendAsync();
        Assert.Equal(1, stats.InFlight);
        await reply.DisposeAsync();
        await reply.DisposeAsync();

        Assert.Equal(0, stats.InFlight);
    }

    [Fact]
    public async Task ReportFailure_SendsTheNextAttemptElsewhere()
    {
        await using var one = await FakeServer.AnswerAsync(200, "{}");
        await using var two = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(one.Address, two.Address);
        var call = host.Call();

        var reply = await host.Chat.SendAsync(call, default);
        reply.ReportFailure(UpstreamFailure.Protocol);
        await reply.DisposeAsync();
        await using var next = await host.Chat.SendAsync(call, default);

        Assert.Equal(UpstreamFailure.None, next.Failure);
        Assert.Single(one.Requests);
        Assert.Single(two.Requests);
    }

    [Fact]
    public async Task Send_ErrorBodyWithoutEnd_IsCutOff()
    {
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.StatusCode = 400;
            var block = new byte[16 * 1024];
            Array.Fill(block, (byte)'x');
            while (!context.RequestAborted.IsCancellationRequested)
            {
                await context.Response.Body.WriteAsync(block, context.RequestAborted);
            }
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);

        await using var reply = await host.SendAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(400, reply.Error!.Status);
        Assert.InRange(reply.Error.Message.Length, 1, 2048);
    }

    [Fact]
    public async Task Send_ModelUnknownUpstream_BlamesTheClientOnlyForNamesItChose()
    {
        await using var server = await FakeServer.AnswerAsync(404, """{"error":{"message":"The model `x` does not exist.","code":"model_not_found"}}""");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Models:1"] = "team/*";
        await using var host = await UpstreamHost.StartAsync(settings);

        await using var configured = await host.SendAsync();
        await using var chosen = await host.Chat.SendAsync(
            ChatCall.To(host.Routes.Find("team/x")!.First, "{}"u8.ToArray(), stream: false), default);

        Assert.Equal((502, "upstream_error"), (configured.Error!.Status, configured.Error.Code));
        Assert.Equal((400, "model_not_found"), (chosen.Error!.Status, chosen.Error.Code));
    }

    [Fact]
    public async Task Send_UpstreamThatWasRemoved_IsUnavailable()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        await using var reply = await host.Chat.SendAsync(
            ChatCall.To(host.Routes.Find("m")!.First with { Upstream = "gone" }, "{}"u8.ToArray(), stream: false), default);

        Assert.Equal(UpstreamFailure.NoDestination, reply.Failure);
        Assert.Equal(503, reply.Error!.Status);
    }
}
