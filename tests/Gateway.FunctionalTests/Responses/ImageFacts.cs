using System.Collections.Concurrent;
using Gateway.Testing.Scripting;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.FunctionalTests.Responses;

/// <summary>Images given by URL, for a model server that takes data URLs only.</summary>
public sealed class ImageFacts(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>, IAsyncLifetime
{
    private const string Inline = "Gateway:Upstreams:main:ProfileOptions:image_urls";
    private const string DataUrl = "data:image/png;base64,iVBORw0KGgo=";

    private readonly ConcurrentQueue<string> _asked = new();
    private readonly ConcurrentDictionary<string, byte[]> _images = new() { ["/cat.png"] = Convert.FromBase64String("iVBORw0KGgo=") };
    private WebApplication _server = null!;

    async ValueTask IAsyncLifetime.InitializeAsync()
    {
        await InitializeAsync();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _server = builder.Build();
        _server.Urls.Add("http://127.0.0.1:0");
        _server.Run(context =>
        {
            _asked.Enqueue(context.Request.Path);
            if (_images.TryGetValue(context.Request.Path, out var image))
            {
                return context.Response.Body.WriteAsync(image).AsTask();
            }

            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return Task.CompletedTask;
        });
        await _server.StartAsync(Cancellation);
    }

    async ValueTask IAsyncDisposable.DisposeAsync()
    {
        await DisposeAsync();
        await _server.DisposeAsync();
    }

    [Fact]
    public async Task ImageByUrl_IsSentAsADataUrl()
    {
        await UseAllowedGatewayAsync();

        await CreateAsync(Ask("/cat.png"));

        Assert.Equal(DataUrl, SentImage());
        Assert.Equal(["/cat.png"], _asked);
    }

    [Fact]
    public async Task ImageByUrl_InAToolsOutput_IsSentAsADataUrl()
    {
        await UseAllowedGatewayAsync();

        await CreateAsync($$"""
            {"input":[{"role":"user","content":"x"},{"type":"function_call","call_id":"c","name":"f","arguments":"{}"},
            {"type":"function_call_output","call_id":"c","output":[{"type":"input_image","image_url":"{{Url("/cat.png")}}"}]}]}
            """);

        Assert.Equal(DataUrl, SentImage());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ImageThatIsNotThere_IsTheClientsError(bool stream)
    {
        await UseAllowedGatewayAsync();

        var reply = await PostAsync(WithModel($"{{\"stream\":{(stream ? "true" : "false")},{Ask("/dog.png")[1..]}"));

        reply.AssertError(400, "failed_to_download_image", "input[0].content[1].image_url");
        Assert.Empty(Upstream.Calls);
    }

    [Fact]
    public async Task ImageByUrl_OfAPrivateHost_IsRefused()
    {
        await UseOwnGatewayAsync((Inline, "inline"));

        var reply = await PostAsync(WithModel(Ask("/cat.png")));

        reply.AssertError(400, "invalid_image_url", "input[0].content[1].image_url");
        Assert.Empty(_asked);
        Assert.Equal(1, Gateway.Metrics.Sum("gateway.egress.refusals"));
    }

    [Fact]
    public async Task ImageOfTheChain_GoneByNow_IsLeftOutAndTheChainGoesOn()
    {
        await UseAllowedGatewayAsync();
        var first = await CreateAsync(Ask("/cat.png"));
        _images.Clear();

        await CreateAsync($$"""{"previous_response_id":"{{first.Text("id")}}","input":"And now?"}""");

        Assert.Equal("Look\n[image omitted]", Upstream.LastCall.Messages[0]!["content"]!.GetValue<string>());
    }

    [Fact]
    public async Task RoundSentAgain_FetchesNoImageAgain()
    {
        await UseAllowedGatewayAsync();
        Upstream.Enqueue(ChatScript.Of(400, """{"error":{"message":"stream_options is not supported"}}"""));

        await StreamAsync(Ask("/cat.png"));

        Assert.Equal(2, Upstream.Calls.Count);
        Assert.Single(_asked);
    }

    [Fact]
    public async Task ImageByUrl_ServerThatFetchesItself_IsPassedOn()
    {
        await CreateAsync(Ask("/cat.png"));

        Assert.Equal(Url("/cat.png"), SentImage());
        Assert.Empty(_asked);
    }

    private async Task UseAllowedGatewayAsync() => await UseOwnGatewayAsync((Inline, "inline"), ("Gateway:Tools:AllowedHosts:0", "127.0.0.1"));

    private string Url(string path) => _server.Urls.First() + path;

    private string Ask(string path) =>
        $$"""{"input":[{"role":"user","content":[{"type":"input_text","text":"Look"},{"type":"input_image","image_url":"{{Url(path)}}"}]}]}""";

    private string SentImage() => Upstream.LastCall.Messages
        .Select(message => message!["content"]).OfType<System.Text.Json.Nodes.JsonArray>().SelectMany(content => content)
        .Single(part => part!["type"]!.GetValue<string>() == "image_url")!["image_url"]!["url"]!.GetValue<string>();
}
