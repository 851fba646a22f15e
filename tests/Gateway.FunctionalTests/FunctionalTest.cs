using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Gateway.FunctionalTests.Responses;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.FunctionalTests;

/// <summary>What a test of the whole gateway has at hand: an upstream to script, a gateway to call, and short ways to call it.</summary>
public abstract class FunctionalTest(GatewayFixture fixture) : IAsyncLifetime
{
    private readonly List<IAsyncDisposable> _own = [];
    private TestGateway _gateway = fixture.Gateway;

    private protected ScriptedUpstream Upstream { get; private set; } = fixture.Upstream;

    private protected TestGateway Gateway => _gateway;

    private protected static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync()
    {
        Upstream.Reset();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        GC.SuppressFinalize(this);
        for (var i = _own.Count - 1; i >= 0; i--)
        {
            await _own[i].DisposeAsync();
        }
    }

    /// <summary>Gives this test a gateway (and upstream) of its own, with these settings over the usual ones.</summary>
    private protected async Task<TestGateway> UseOwnGatewayAsync(params (string Key, string Value)[] settings)
    {
        await UseOwnUpstreamAsync();
        return await UseGatewayAsync(GatewayFixture.OptionsFor(Upstream, settings));
    }

    private protected async Task<TestGateway> UseGatewayAsync(TestGatewayOptions options)
    {
        _gateway = await TestGateway.StartAsync(options);
        _own.Add(_gateway);
        return _gateway;
    }

    /// <summary>Has a part stopped when the test is over.</summary>
    private protected T Own<T>(T part)
        where T : IAsyncDisposable
    {
        _own.Add(part);
        return part;
    }

    private protected async Task UseOwnUpstreamAsync()
    {
        Upstream = await ScriptedUpstream.StartAsync();
        _own.Add(Upstream);
    }

    /// <summary>A client whose side of the connection holds little: what it does not read soon waits at the gateway.</summary>
    private protected HttpClient ClientWithSmallBuffer() => new(new SocketsHttpHandler
    {
        ConnectCallback = static async (context, cancellationToken) =>
        {
            // A size that is set does not grow, as the system's own would.
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 64 * 1024 };
            await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
            return new NetworkStream(socket, ownsSocket: true);
        },
    })
    { BaseAddress = Gateway.BaseAddress };

    /// <summary>Lets time go by until it is so: who waits for a moment may begin to wait a little later.</summary>
    private protected static Task AdvanceUntilAsync(FakeTimeProvider time, TimeSpan step, Func<bool> isSo) => UntilAsync(() =>
    {
        if (isSo())
        {
            return true;
        }

        time.Advance(step);
        return false;
    });

    private protected static async Task UntilAsync(Func<bool> isSo)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        patience.CancelAfter(TimeSpan.FromSeconds(30));
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(5));
        while (!isSo())
        {
            await polls.WaitForNextTickAsync(patience.Token);
        }
    }

    private protected static string Quote(string text) => JsonSerializer.Serialize(text);

    private protected async Task<Reply> SendAsync(HttpMethod method, string path, string? json = null, string? key = null, params IEnumerable<(string Name, string Value)> headers)
    {
        using var request = Request(method, path, json, key);
        foreach (var (name, value) in headers)
        {
            request.Headers.Add(name, value);
        }

        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return await Reply.ReadAsync(response);
    }

    private protected Task<Reply> GetAsync(string path, string? key = null) => SendAsync(HttpMethod.Get, path, null, key);

    private protected Task<Reply> DeleteAsync(string path, string? key = null) => SendAsync(HttpMethod.Delete, path, null, key);

    private protected Task<Reply> PostAsync(string json, string? key = null, string path = "/v1/responses") => SendAsync(HttpMethod.Post, path, json, key);

    /// <summary>Creates a response from a body without its <c>model</c>, and checks its shape.</summary>
    private protected async Task<JsonElement> CreateAsync(string json, string? key = null)
    {
        var response = (await PostAsync(WithModel(json), key)).AssertOk();
        ResponseShape.AssertFinal(response);
        return response;
    }

    /// <summary>Creates a streamed response from a body without <c>model</c> and <c>stream</c>, and checks every invariant of the stream.</summary>
    private protected async Task<ResponseStream> StreamAsync(string json, string? key = null, string path = "/v1/responses")
    {
        using var response = await OpenStreamAsync(json, key, path);
        var body = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.Content.Headers.ContentType?.MediaType == "text/event-stream", $"Not a stream: {(int)response.StatusCode} {body}");
        return ResponseStream.Parse(body);
    }

    /// <summary>Sends a streamed request and returns at its headers.</summary>
    private protected async Task<HttpResponseMessage> OpenStreamAsync(string json, string? key = null, string path = "/v1/responses")
    {
        using var request = Request(HttpMethod.Post, path, WithModel($"{{\"stream\":true,{json.TrimStart()[1..]}"), key);
        return await Gateway.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, Cancellation);
    }

    private protected static string WithModel(string json) => $"{{\"model\":\"{GatewayFixture.Model}\",{json.TrimStart()[1..]}";

    private static HttpRequestMessage Request(HttpMethod method, string path, string? json, string? key)
    {
        var request = new HttpRequestMessage(method, path);
        if (json is not null)
        {
            request.Content = new StringContent(json, Encoding.UTF8, "application/json");
        }

        if (key is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }

        return request;
    }
}
