using System.Net;
using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Upstreams that come and go with the settings file while answers are being made.</summary>
public sealed class ReloadTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const int Streams = 500;

    [Fact]
    public async Task UpstreamIsRemovedAndAnotherAdded_500StreamsAreToldToTheirEnd_AndNewRequestsGoToTheNewOne()
    {
        using var folder = new TemporaryFolder();
        var (leaving, staying, coming) = (Own(await ScriptedUpstream.StartAsync()), Own(await ScriptedUpstream.StartAsync()), Own(await ScriptedUpstream.StartAsync()));
        await StartAsync(folder, null, ("leaving", leaving.Address, ["moves", "ends"]), ("staying", staying.Address, ["stays"]));
        var held = new ChatStream().Role().Text("first").Hold().Text(" and last").End();
        leaving.Default = staying.Default = _ => held;
        string[] models = ["moves", "ends", "stays"];
        var streams = new List<HttpResponseMessage>();
        for (var i = 0; i < Streams; i++)
        {
            streams.Add(await OpenAsync(models[i % models.Length], passedThrough: i % 2 == 0));
        }

        await UntilAsync(() => leaving.Calls.Count + staying.Calls.Count == Streams);
        var (atLeaving, atStaying) = (leaving.Calls.Count, staying.Calls.Count);

        await ChangeAsync(folder, ("staying", staying.Address, ["stays"]), ("coming", coming.Address, ["moves", "begins"]));

        // From now on, without any pause.
        foreach (var model in (string[])["moves", "begins"])
        {
            (await PostAsync($$"""{"model":"{{model}}","input":"Hi"}""")).AssertOk();
            (await PostAsync($$"""{"model":"{{model}}","messages":[{"role":"user","content":"Hi"}]}""", path: "/v1/chat/completions")).AssertOk();
        }

        (await PostAsync("""{"model":"ends","input":"Hi"}""")).AssertError(400, "model_not_found", "model");
        Assert.Equal((atLeaving, atStaying, 4), (leaving.Calls.Count, staying.Calls.Count, coming.Calls.Count));

        held.Hold.Release();
        for (var i = 0; i < Streams; i++)
        {
            using var stream = streams[i];
            var body = await stream.Content.ReadAsStringAsync(Cancellation);
            if (i % 2 == 0)
            {
                Assert.Equal(Encoding.UTF8.GetString(held.Body), body);
            }
            else
            {
                var response = ResponseStream.Parse(body).Final;
                Assert.Equal(("completed", "first and last"), (response.Text("status"), response.OutputText()));
            }
        }

        await Gateway.Metrics.WaitForSumAsync("gateway.upstream.in_flight", 0);
    }

    [Fact]
    public async Task ModelMovesToAndFro_UnderLoad_NoClientSeesAnError()
    {
        using var folder = new TemporaryFolder();
        ScriptedUpstream[] servers = [Own(await ScriptedUpstream.StartAsync()), Own(await ScriptedUpstream.StartAsync())];
        await StartAsync(folder, null, ("server0", servers[0].Address, ["moves"]));
        var over = false;
        var workers = Enumerable.Range(0, 8).Select(_ => AskAsync()).ToList();

        for (var round = 1; round <= 20; round++)
        {
            var server = servers[round % 2];
            var before = server.Calls.Count;
            await ChangeAsync(folder, ($"server{round % 2}", server.Address, ["moves"]));
            await UntilAsync(() => server.Calls.Count >= before + 8 || workers.Exists(worker => worker.IsFaulted));
        }

        Volatile.Write(ref over, true);
        await Task.WhenAll(workers);

        async Task AskAsync()
        {
            while (!Volatile.Read(ref over))
            {
                (await PostAsync("""{"model":"moves","input":"Hi","store":false}""")).AssertOk();
            }
        }
    }

    [Fact]
    public async Task NameOfANewUpstreamIsStillLookedUp_RequestsGoWhereTheyWentBefore()
    {
        using var folder = new TemporaryFolder();
        var before = Own(await ScriptedUpstream.StartAsync());
        var after = Own(await ScriptedUpstream.StartAsync());
        Own(await ScriptedUpstream.StartAsync(after.Address.Port, IPAddress.Parse("127.0.0.2")));
        var answer = new TaskCompletionSource<IPAddress[]>(TaskCreationOptions.RunContinuationsAsynchronously);
        await StartAsync(folder, services => services.AddSingleton<UpstreamDestinationResolver.Lookup>((_, _) => answer.Task), ("before", before.Address, ["moves"]));

        await ChangeAsync(folder, ("after", new Uri($"http://models.test:{after.Address.Port}/v1"), ["moves"]));
        await AskAsync();
        Assert.Equal(2, before.Calls.Count);

        answer.SetResult([IPAddress.Parse("127.0.0.1"), IPAddress.Parse("127.0.0.2")]);
        var routes = Gateway.Services.GetRequiredService<RouteTable>();
        await UntilAsync(() => routes.Find("moves")!.First.Upstream == "after");
        await AskAsync();
        Assert.Equal(2, before.Calls.Count);

        async Task AskAsync()
        {
            (await PostAsync("""{"model":"moves","input":"Hi"}""")).AssertOk();
            (await PostAsync("""{"model":"moves","messages":[{"role":"user","content":"Hi"}]}""", path: "/v1/chat/completions")).AssertOk();
        }
    }

    private async Task<HttpResponseMessage> OpenAsync(string model, bool passedThrough)
    {
        var (path, rest) = passedThrough ? ("/v1/chat/completions", """ "messages":[{"role":"user","content":"Hi"}]""") : ("/v1/responses", """ "input":"Hi" """);
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent($$"""{"model":"{{model}}","stream":true,{{rest}}}""", Encoding.UTF8, "application/json"),
        };
        var response = await Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
        Assert.True(response.IsSuccessStatusCode);
        return response;
    }

    private async Task StartAsync(TemporaryFolder folder, Action<IServiceCollection>? configure, params (string Name, Uri Address, string[] Models)[] upstreams)
    {
        await UseGatewayAsync(new TestGatewayOptions
        {
            Settings = new Dictionary<string, string> { ["config"] = await WriteAsync(folder, upstreams) },
            ConfigureServices = configure,
            // Nothing is given up because a slow machine took its time.
            Time = new FakeTimeProvider(DateTimeOffset.UtcNow),
        });

        // The test's own reload may meet the watcher's, in whose middle the settings are empty for a moment: that is refused, and the next one is whole.
        Gateway.AllowedErrors = static log => log.Message.Contains("names no upstream any more", StringComparison.Ordinal);
    }

    private async Task ChangeAsync(TemporaryFolder folder, params (string Name, Uri Address, string[] Models)[] upstreams)
    {
        await WriteAsync(folder, upstreams);
        // The file is watched too, but nobody knows when that is noticed.
        ((IConfigurationRoot)Gateway.Services.GetRequiredService<IConfiguration>()).Reload();
    }

    private static async Task<string> WriteAsync(TemporaryFolder folder, (string Name, Uri Address, string[] Models)[] upstreams)
    {
        var settings = new
        {
            Gateway = new
            {
                Upstreams = upstreams.ToDictionary(
                    upstream => upstream.Name, upstream => new { Address = upstream.Address.AbsoluteUri, upstream.Models, Profile = "generic", Health = new { Path = "" } }),
            },
        };
        var file = Path.Combine(folder.Path, "gateway.json");
        // In one step, as a careful editor does: half a file would be refused.
        await File.WriteAllTextAsync(file + ".new", JsonSerializer.Serialize(settings), Cancellation);
        File.Move(file + ".new", file, overwrite: true);
        return file;
    }
}
