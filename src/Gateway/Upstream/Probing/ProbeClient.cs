using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream.Probing;

/// <summary>Asks one destination of an upstream single questions: bounded in time and size, with the upstream's credentials, and never throwing for what the server does.</summary>
internal sealed class ProbeClient(ConfiguredUpstream upstream, ClusterState cluster, DestinationState destination, TimeSpan timeout, TimeProvider time)
{
    private const int MaxBodyBytes = 512 * 1024;
    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly string _base = destination.Model.Config.Address.TrimEnd('/');

    /// <summary>The host in the configuration: an address that its name was resolved to says nothing about who it is.</summary>
    public string Host => destination.Model.Config.Host is { } name ? new HostString(name).Host : new Uri(_base).Host;

    /// <summary>A path of the OpenAI-compatible API, such as <c>/models</c>.</summary>
    public Task<ProbeAnswer> GetApiAsync(string path, CancellationToken cancellationToken) => AskAsync(_base + path, null, cancellationToken);

    /// <summary>A path of the server's own, beside the API.</summary>
    public Task<ProbeAnswer> GetOwnAsync(string path, CancellationToken cancellationToken) => AskAsync(UpstreamRequests.RootOf(_base) + path, null, cancellationToken);

    public Task<ProbeAnswer> PostOwnAsync(string path, JsonObject body, CancellationToken cancellationToken) => AskAsync(UpstreamRequests.RootOf(_base) + path, body, cancellationToken);

    public Task<ProbeAnswer> ChatAsync(JsonObject body, CancellationToken cancellationToken) => AskAsync(_base + "/chat/completions", body, cancellationToken);

    private async Task<ProbeAnswer> AskAsync(string url, JsonObject? body, CancellationToken cancellationToken)
    {
        using var patience = new CancellationTokenSource(timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, patience.Token);
        try
        {
            using var request = new HttpRequestMessage(body is null ? HttpMethod.Get : HttpMethod.Post, url);
            if (body is not null)
            {
                request.Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body.ToJsonString()));
                request.Content.Headers.ContentType = Json;
            }

            UpstreamRequests.Address(request, upstream, destination);
            using var response = await cluster.Model.HttpClient.SendAsync(request, linked.Token);
            var read = await ReadAsync(response, linked.Token);
            return new ProbeAnswer((int)response.StatusCode, read, response.Headers, null);
        }
        catch (HttpRequestException e)
        {
            return ProbeAnswer.None(e.HttpRequestError.ToString());
        }
        catch (IOException)
        {
            return ProbeAnswer.None("connection lost");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return ProbeAnswer.None("no answer in time");
        }
    }

    /// <summary>The body up to its end or the limit: what a question needs to know stands at the beginning.</summary>
    private static async Task<byte[]> ReadAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (body.Length < MaxBodyBytes && await stream.ReadAsync(buffer, cancellationToken) is var read and > 0)
        {
            body.Write(buffer, 0, read);
        }

        return body.ToArray();
    }
}
