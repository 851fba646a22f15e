using System.Diagnostics.Metrics;
using System.Net;
using System.Text;
using Gateway.Protocol.Responses;
using Gateway.Telemetry;
using Gateway.Tools;
using Gateway.Upstream;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Tests.Upstream;

/// <summary>Interleavings of reloads, discovery, health, queue and failover.</summary>
public sealed class UpstreamGapTests
{
    private const string UnknownModel = """{"object":"error","message":"The model `m2` does not exist.","type":"NotFoundError","code":404}""";

    private readonly FakeTimeProvider _time = new();

    [Fact]
    public async Task Reload_AnotherSettingOfAnUpstream_ItsModelsAreKnownUntilItNamesThemAnew()
    {
        var server = await FakeServer.StartAsync(_ => Task.CompletedTask, "found");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?> { ["Gateway:Upstreams:main:Address"] = server.Address });
        await Until.TrueAsync(() => host.Routes.Find("found") is not null);
        // It is away for a moment: a server that does not answer keeps the models it named last.
        await server.DisposeAsync();

        host.Reload(("Gateway:Upstreams:main:MaxConcurrentRequests", "5"));

        Assert.NotNull(host.Routes.Find("found"));
    }

    [Fact]
    public async Task Reload_NothingIsConfiguredAnyMore_TheLastUpstreamsStay()
    {
        // A settings file that is away or empty while it is replaced; the demo is for a gateway that starts with nothing.
        var path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid():N}.json");
        await File.WriteAllTextAsync(path, """{"Gateway":{"Upstreams":{"main":{"Address":"http://127.0.0.1:1/v1","Models":["m"]}}}}""");
        var root = new ConfigurationBuilder().AddJsonFile(path, optional: true).Build();
        using var registry = new UpstreamRegistry(root, NullLogger<UpstreamRegistry>.Instance);

        File.Delete(path);
        root.Reload();

        Assert.Equal("main", Assert.Single(registry.All).Name);
    }

    [Fact]
    public async Task Count_ByATokenizer_TakesNoPlaceOfARequest()
    {
        var asked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var server = await FakeServer.StartAsync(async context =>
        {
            if (context.Request.Path.Value!.EndsWith("tokenize", StringComparison.Ordinal))
            {
                asked.SetResult();
                await FakeServer.HangAsync(context);
                return;
            }

            await context.Response.WriteAsync("{}");
        });
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:MaxConcurrentRequests"] = "1";
        settings["Gateway:Upstreams:main:Profile"] = "vllm";
        await using var host = await UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(_time));
        using var leaves = new CancellationTokenSource();
        var counting = host.Get<TokenizerClient>().CountAsync(
            host.Routes.Find("m")!.First, """{"model":"m","messages":[{"role":"user","content":"Hi"}]}"""u8.ToArray(), null, leaves.Token).AsTask();
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(5));

        await using var reply = await host.SendAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(5));

        Assert.Equal(UpstreamFailure.None, reply.Failure);
        await leaves.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => counting);
    }

    [Fact]
    public async Task Reload_ProbesAreTurnedOff_DestinationThatFailedThemIsUsedAgain()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        var settings = UpstreamHost.Settings(server.Address);
        settings["Gateway:Upstreams:main:Health:Path"] = "/health";
        settings["Gateway:Upstreams:main:Health:Interval"] = "1.00:00:00";
        await using var host = await UpstreamHost.StartAsync(settings);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var destination = cluster.DestinationsState.AllDestinations[0];
        host.Get<IDestinationHealthUpdater>().SetActive(cluster, [new NewActiveDestinationHealth(destination, DestinationHealth.Unhealthy)]);
        Assert.True(cluster.DestinationsState.AvailableDestinations.Count == 0);

        host.Reload(("Gateway:Upstreams:main:Health:Path", ""));
        await Until.TrueAsync(() => cluster.DestinationsState.AvailableDestinations.Count == 1);

        await using var reply = await host.SendAsync();
        Assert.Equal(UpstreamFailure.None, reply.Failure);
    }

    [Fact]
    public async Task Probes_OfAnOperatorsOwnCluster_AskForItsOwnPath()
    {
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings["ReverseProxy:Clusters:c:HealthCheck:Active:Path"] = "/healthz";
        settings["ReverseProxy:Clusters:c:Destinations:d:Address"] = "http://127.0.0.1:1/";
        settings["ReverseProxy:Clusters:c:Destinations:d:Health"] = "http://127.0.0.1:2/";
        await using var host = await UpstreamHost.StartAsync(settings);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("c", out var cluster));

        using var request = host.Get<IProbingRequestFactory>().CreateRequest(cluster.Model, cluster.DestinationsState.AllDestinations[0].Model);

        Assert.Equal("http://127.0.0.1:2/healthz", request.RequestUri!.AbsoluteUri);
    }

    [Fact]
    public async Task Probe_HostedServiceWithSeveralAddresses_IsKnownByItsNameAndNotAsked()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?>
            {
                ["Gateway:Upstreams:main:Address"] = $"http://api.openai.com:{server.Port}/v1",
                ["Gateway:Upstreams:main:Models:0"] = "m",
                ["Gateway:Upstreams:main:Health:Path"] = "",
                ["Gateway:Probing:Enabled"] = "true",
            },
            s => s.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => Task.FromResult<IPAddress[]>([IPAddress.Loopback, IPAddress.Parse("127.0.0.2")])));
        var upstream = host.Get<UpstreamRegistry>().Find("main")!;

        await Until.TrueAsync(() => upstream.Probe.Kind is not null);

        Assert.Equal("openai", upstream.Probe.Kind!.Profile);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Enter_OneThatWaitsCanNotUseAnUpstream_DoesNotKeepOthersFromIt()
    {
        var settings = UpstreamHost.Settings(UpstreamHost.Refusing());
        settings["Gateway:Upstreams:main:MaxConcurrentRequests"] = "1";
        settings["Gateway:Upstreams:next:Address"] = UpstreamHost.Refusing();
        settings["Gateway:Upstreams:next:Models:0"] = "m";
        settings["Gateway:Upstreams:next:Health:Path"] = "";
        await using var host = await UpstreamHost.StartAsync(settings, s => s.AddSingleton<TimeProvider>(_time));
        var queue = host.Get<PlaceQueue>();
        UpstreamCall OnlyMain()
        {
            var call = host.Call();
            call.Exclude(call.Routes.All.Single(r => r.Upstream == "next"));
            return call;
        }

        var held = await queue.EnterAsync(OnlyMain(), again: false, mayWait: true, default);
        var waiting = queue.EnterAsync(OnlyMain(), again: false, mayWait: true, default).AsTask();
        Assert.False(waiting.IsCompleted);

        var other = await queue.EnterAsync(host.Call(), again: false, mayWait: true, default).AsTask().WaitAsync(TimeSpan.FromSeconds(5));

        Assert.Equal("next", other.Stats!.Upstream);
        host.Get<DestinationPicker>().Leave(held);
        Assert.Equal("main", (await waiting.WaitAsync(TimeSpan.FromSeconds(5))).Stats!.Upstream);
    }

    [Fact]
    public async Task Send_OneDestinationDoesNotHaveTheModel_TheOneThatNamesItAnswers()
    {
        await using var without = await FakeServer.StartAsync(
            async context =>
            {
                context.Response.StatusCode = 404;
                await context.Response.WriteAsync(UnknownModel);
            },
            "m1");
        await using var with = await FakeServer.StartAsync(context => context.Response.WriteAsync("{}"), "m1", "m2");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>
        {
            ["Gateway:Upstreams:main:Addresses:0"] = without.Address,
            ["Gateway:Upstreams:main:Addresses:1"] = with.Address,
        });
        await Until.TrueAsync(() => host.Routes.Find("m2") is not null && host.Routes.Find("m1") is not null);

        for (var i = 0; i < 4; i++)
        {
            using var call = host.Call(model: "m2");
            await using var reply = await host.Chat.SendAsync(call, default);
            Assert.Equal((UpstreamFailure.None, null), (reply.Failure, reply.Error?.Code));
        }
    }

    [Fact]
    public async Task Send_OneServerSays429WithoutATime_TheOtherAnswersAllRequests()
    {
        await using var busy = await FakeServer.AnswerAsync(429, """{"error":{"message":"Model is overloaded","type":"overloaded"}}""");
        await using var free = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings(busy.Address, free.Address), s => s.AddSingleton<TimeProvider>(_time));

        for (var i = 0; i < 300; i++)
        {
            await using var reply = await host.SendAsync();
            Assert.True(reply.Failure == UpstreamFailure.None, $"Request {i}: {reply.Error?.Status}.");
        }
    }

    [Fact]
    public async Task Send_PreferredIsDownAndTheNextCanNotBeAskedThis_IsNotTheClientsFault()
    {
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>(UpstreamHost.Settings(UpstreamHost.Refusing()))
        {
            ["Gateway:Upstreams:next:Address"] = UpstreamHost.Refusing(),
            ["Gateway:Upstreams:next:Models:0"] = "m=unable",
            ["Gateway:Upstreams:next:Priority"] = "1",
        });
        using var call = new ChatCall
        {
            Routes = host.Routes.Find("m")!,
            Write = route => route.Model == "unable" ? ChatBody.Refused(ApiError.UnsupportedParameter("tools", "no tools")) : new ChatBody("{}"u8.ToArray(), stream: false),
        };

        await using var reply = await host.Chat.SendAsync(call, default);

        Assert.Equal((503, "upstream_unavailable"), (reply.Error!.Status, reply.Error.Code));
    }

    [Fact]
    public async Task Send_PreferredIsBusyAndTheNextCanNotBeAskedThis_IsNotTheClientsFault()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>(UpstreamHost.Settings(server.Address))
        {
            ["Gateway:Upstreams:main:MaxConcurrentRequests"] = "1",
            ["Gateway:Upstreams:main:MaxQueued"] = "0",
            ["Gateway:Upstreams:next:Address"] = UpstreamHost.Refusing(),
            ["Gateway:Upstreams:next:Models:0"] = "m=unable",
            ["Gateway:Upstreams:next:Priority"] = "1",
        });
        await using var first = await host.SendAsync();
        using var call = new ChatCall
        {
            Routes = host.Routes.Find("m")!,
            Write = route => route.Model == "unable" ? ChatBody.Refused(ApiError.UnsupportedParameter("tools", "no tools")) : new ChatBody("{}"u8.ToArray(), stream: false),
        };

        await using var reply = await host.Chat.SendAsync(call, default);

        Assert.Equal((503, "upstream_overloaded"), (reply.Error!.Status, reply.Error.Code));
    }

    [Fact]
    public async Task Send_PreferredAnswersNoProbesAndTheNextCanNotBeAskedThis_IsNotTheClientsFault()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(new Dictionary<string, string?>(UpstreamHost.Settings(server.Address))
        {
            ["Gateway:Upstreams:main:Health:Path"] = "/health",
            ["Gateway:Upstreams:main:Health:Interval"] = "1.00:00:00",
            ["Gateway:Upstreams:next:Address"] = UpstreamHost.Refusing(),
            ["Gateway:Upstreams:next:Models:0"] = "m=unable",
            ["Gateway:Upstreams:next:Priority"] = "1",
        });
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        host.Get<IDestinationHealthUpdater>().SetActive(
            cluster, [new NewActiveDestinationHealth(cluster.DestinationsState.AllDestinations[0], DestinationHealth.Unhealthy)]);
        using var call = new ChatCall
        {
            Routes = host.Routes.Find("m")!,
            Write = route => route.Model == "unable" ? ChatBody.Refused(ApiError.UnsupportedParameter("tools", "no tools")) : new ChatBody("{}"u8.ToArray(), stream: false),
        };

        await using var reply = await host.Chat.SendAsync(call, default);

        Assert.Equal((503, "upstream_unavailable"), (reply.Error!.Status, reply.Error.Code));
    }

    [Fact]
    public async Task Send_ClientSideFailsWhileTheServerThinks_PlaceIsGivenBack()
    {
        var (asked, answers) = (new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously), new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously));
        await using var server = await FakeServer.StartAsync(async context =>
        {
            asked.SetResult();
            await answers.Task;
            await context.Response.WriteAsync("{}");
        });
        await using var host = await UpstreamHost.StartAsync(UpstreamHost.Settings(server.Address), s => s.AddMetrics());
        var metrics = new GatewayMetrics(host.Get<IMeterFactory>());
        var reader = new RoundReader(_time, new RoundLimits(1024, 1024, 1, TimeSpan.FromSeconds(1)), metrics);
        using var call = host.Call();

        var sending = reader.SendAsync(host.Chat, call, new BrokenOutput(), default);
        await asked.Task.WaitAsync(TimeSpan.FromSeconds(5));
        _time.Advance(TimeSpan.FromSeconds(1));
        await Assert.ThrowsAsync<IOException>(() => sending);
        answers.SetResult();

        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        var stats = host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]);
        await Until.TrueAsync(() => stats.InFlight == 0);
    }

    [Fact]
    public async Task Passthrough_FormWithModelInAnotherCase_NeverReachesAServer()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var form = new MultipartFormDataContent { { new StringContent("m"), "model" }, { new StringContent("secret"), "Model" } };

        using var response = await host.Client.PostAsync("/v1/audio/transcriptions", form);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("'Model'", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Fact]
    public async Task Passthrough_ARefusalBetweenFailures_ShowsThatTheServerIsWell()
    {
        var statuses = new Queue<int>([503, 503, 400, 503]);
        await using var server = await FakeServer.StartAsync(context =>
        {
            context.Response.StatusCode = statuses.Dequeue();
            return Task.CompletedTask;
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);

        while (statuses.Count > 0)
        {
            using var response = await host.Client.PostAsync("/v1/chat/completions", new StringContent("""{"model":"m"}""", Encoding.UTF8, "application/json"));
        }

        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(0, host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]).Ejections);
    }

    [Theory]
    [InlineData("""{"model":"m","Model":"secret"}""")]
    [InlineData("""{"model":"m","\u004dodel":"secret"}""")]
    [InlineData("""{"MODEL":"secret","model":"m"}""")]
    public async Task Passthrough_ModelInAnotherCaseBesideIt_NeverReachesAServer(string body)
    {
        // Servers written in Go take either for the model, and the last one wins.
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        using var response = await host.Client.PostAsync("/v1/chat/completions", new StringContent(body, Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("?model=secret")]
    [InlineData("?a=b&M%6fdel=secret")]
    public async Task Passthrough_ModelInTheQuery_NeverReachesAServer(string query)
    {
        // LiteLLM prefers it to the body's.
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        using var response = await host.Client.PostAsync($"/v1/chat/completions{query}", new StringContent("""{"model":"m"}""", Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith("invalid_value|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData(null, "application/json")]
    [InlineData("application/x-www-form-urlencoded", "application/json")]
    [InlineData("text/plain; charset=utf-8", "application/json")]
    [InlineData("application/json;charset=utf-8", "application/json;charset=utf-8")]
    [InlineData("application/vnd.x+json", "application/vnd.x+json")]
    public async Task Passthrough_Json_IsSentAsWhatItWasReadAs(string? type, string expected)
    {
        // As a form it would name another model, and LiteLLM reads it as what its type says.
        const string Body = """{"model":"m","input":"&model=secret&input=x&"}""";
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(Body));
        if (type is not null)
        {
            content.Headers.TryAddWithoutValidation("Content-Type", type);
        }

        using var response = await host.Client.PostAsync("/v1/embeddings", content);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var seen = Assert.Single(server.Requests);
        Assert.Equal((Body, expected), (seen.Text, seen.Headers["Content-Type"]));
    }

    [Theory]
    [InlineData("multipart/form-data; boundary=edge; boundary=other", "Content-Disposition: form-data; name=\"language\"")]
    [InlineData("multipart/form-data; boundary=edge; boundary*=utf-8''other", "Content-Disposition: form-data; name=\"language\"")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name=\"language\"; name=\"model\"")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name*=utf-8''model")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name=\"language\"; name*=utf-8''model")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name*0=mo; name*1=del")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name=\"model\"; =")]
    [InlineData("multipart/form-data; boundary=edge", "Content-Disposition: form-data; name=\"language\"\r\nContent-Disposition: form-data; name=\"model\"")]
    public async Task Passthrough_FormThatCanBeReadInTwoWays_NeverReachesAServer(string type, string disposition)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(
            $"--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--edge\r\n{disposition}\r\n\r\nsecret\r\n--edge--\r\n"));
        content.Headers.TryAddWithoutValidation("Content-Type", type);

        using var response = await host.Client.PostAsync("/v1/audio/transcriptions", content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith("invalid_value|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    // Servers written in Go take a bare line feed for the end of a line, and the first of several values.
    [InlineData("--edge\nContent-Disposition: form-data; name=\"model\"\n\nsecret\n--edge\r\n", "\r\n--edge--\r\n")]
    [InlineData("--edge\r\n", "\r\n--edge --\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nsecret\r\n--edge--\r\n")]
    public async Task Passthrough_FormWithMoreBoundariesThanParts_NeverReachesAServer(string start, string end)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes($"{start}Content-Disposition: form-data; name=\"model\"\r\n\r\nm{end}"));
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=edge");

        using var response = await host.Client.PostAsync("/v1/audio/transcriptions", content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.StartsWith("invalid_value|", await response.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Empty(server.Requests);
    }

    [Theory]
    [InlineData("form-data; name=\"file\"; filename=\"a.wav\"")]
    [InlineData("form-data; name=file; filename=a.wav; filename*=utf-8''a.wav")]
    [InlineData("form-data; name=\"file\"; filename=\"Grüße; 你好.wav\"")]
    [InlineData("form-data; name=\"file\"; filename=\"C:\\new\\a \\\"b\\\".wav\"")]
    [InlineData("form-data; name=\"file\"; filename=\"\"")]
    [InlineData("form-data; filename=\"a.wav\"; name=\"file\"")]
    [InlineData("form-data;name=\"file\";filename=\"a.wav\"")]
    [InlineData("Form-Data; Name=\"file\"; FileName=\"a.wav\"")]
    public async Task Passthrough_FormsAsClientsWriteThem_ArriveAsTheyAre(string disposition)
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        var body = $"--edge\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nm\r\n--edge\r\nContent-Disposition: {disposition}\r\n\r\nsound\r\n--edge--\r\n";
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(body));
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data; boundary=\"edge\"");

        using var response = await host.Client.PostAsync("/v1/audio/transcriptions", content);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(body, Assert.Single(server.Requests).Text);
    }

    [Fact]
    public async Task Passthrough_HeaderOfTheClientsOutsideAscii_ArrivesAndIsNoSignOfSickness()
    {
        await using var server = await FakeServer.AnswerAsync(200, "{}");
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var client = new HttpClient(new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = host.Client.BaseAddress };
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions")
        {
            Content = new StringContent("""{"model":"m"}""", Encoding.UTF8, "application/json"),
            Headers = { { "X-Title", "Grüße, 你好" } },
        };

        using var response = await client.SendAsync(request);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("Grüße, 你好", Assert.Single(server.Requests).Headers["X-Title"]);
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(0, host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]).Ejections);
    }

    [Fact]
    public async Task Passthrough_HeaderOfTheServersOutsideAscii_ArrivesAndIsNoSignOfSickness()
    {
        await using var server = await FakeServer.StartAsync(async context =>
        {
            context.Response.Headers["X-Voice"] = "Grüße, 你好";
            await context.Response.WriteAsync("{}");
        });
        await using var host = await UpstreamHost.StartAsync(server.Address);
        using var client = new HttpClient(new SocketsHttpHandler { ResponseHeaderEncodingSelector = (_, _) => Encoding.UTF8 }) { BaseAddress = host.Client.BaseAddress };

        using var response = await client.PostAsync("/v1/audio/speech", new StringContent("""{"model":"m"}""", Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("Grüße, 你好", Assert.Single(response.Headers.GetValues("X-Voice")));
        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(0, host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]).Ejections);
    }

    [Fact]
    public async Task Passthrough_TemplateErrors_AreNoSignOfSickness()
    {
        await using var server = await FakeServer.AnswerAsync(500, """{"error":{"message":"jinja2.exceptions.TemplateError: Conversation roles must alternate","type":"server_error"}}""");
        await using var host = await UpstreamHost.StartAsync(server.Address);

        for (var i = 0; i < 3; i++)
        {
            using var response = await host.Client.PostAsync("/v1/chat/completions", new StringContent("""{"model":"m"}""", Encoding.UTF8, "application/json"));
        }

        Assert.True(host.Get<IProxyStateLookup>().TryGetCluster("main", out var cluster));
        Assert.Equal(0, host.Get<DestinationPicker>().Stats("main", cluster.DestinationsState.AllDestinations[0]).Ejections);
    }

    [Fact]
    public async Task Discovery_OneUpstreamHasNoList_TheOthersAreAskedNoMoreOftenForIt()
    {
        var asked = 0;
        var never = 0;
        await using var app = await ListAsync(context =>
        {
            Interlocked.Increment(ref asked);
            return context.Response.WriteAsync("""{"data":[{"id":"found"}]}""");
        });
        await using var without = await ListAsync(context =>
        {
            Interlocked.Increment(ref never);
            context.Response.StatusCode = 404;
            return Task.CompletedTask;
        });
        await using var host = await UpstreamHost.StartAsync(
            new Dictionary<string, string?>
            {
                ["Gateway:Upstreams:main:Address"] = app.Urls.First(),
                ["Gateway:Upstreams:main:Health:Path"] = "",
                ["Gateway:Upstreams:other:Address"] = without.Urls.First(),
                ["Gateway:Upstreams:other:Health:Path"] = "",
            },
            s => s.AddSingleton<TimeProvider>(_time));
        // Neither is given up while it is asked for the first time.
        await Until.TrueAsync(() => host.Get<UpstreamRegistry>().Find("main")!.Discovered is not null && Volatile.Read(ref never) == 1);
        for (var second = 1; second <= 10; second++)
        {
            await Until.TrueAsync(() =>
            {
                if (Volatile.Read(ref never) > second)
                {
                    return true;
                }

                _time.Advance(TimeSpan.FromMilliseconds(100));
                return false;
            });
        }

        Assert.InRange(Volatile.Read(ref asked), 1, 3);
    }

    private sealed class BrokenOutput : ILoopOutput
    {
        public bool IsStream => true;

        public ValueTask FlushAsync(CancellationToken cancellationToken) => default;

        public ValueTask KeepAliveAsync(CancellationToken cancellationToken) => throw new IOException("It broke.");
    }

    private static async Task<WebApplication> ListAsync(RequestDelegate answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        app.Run(answer);
        await app.StartAsync();
        return app;
    }
}
