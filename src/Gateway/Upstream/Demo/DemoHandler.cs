using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Gateway.Upstream.Demo;

/// <summary>
/// The built-in upstream: a Chat Completions server without a socket, reached through the same client code as any other. It echoes, and calls
/// a given tool when it is told to.
/// </summary>
internal sealed class DemoHandler(TimeProvider time) : HttpMessageHandler
{
    private long _answers;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var path = request.RequestUri!.AbsolutePath;
        if (request.Method == HttpMethod.Get && path.EndsWith("/models", StringComparison.Ordinal))
        {
            return Json(HttpStatusCode.OK, DemoRendering.Models(time.GetUtcNow().ToUnixTimeSeconds()));
        }

        return request.Method == HttpMethod.Post && path.EndsWith("/chat/completions", StringComparison.Ordinal)
            ? await ChatAsync(request.Content, cancellationToken)
            : Json(HttpStatusCode.NotFound, DemoRendering.Error("The demo only answers chat completions. Configure a model server for everything else."));
    }

    private async Task<HttpResponseMessage> ChatAsync(HttpContent? content, CancellationToken cancellationToken)
    {
        try
        {
            // YARP's content can be copied only, not read as a stream.
            using var body = new MemoryStream();
            if (content is not null)
            {
                await content.CopyToAsync(body, cancellationToken);
            }

            using var request = JsonDocument.Parse(body.GetBuffer().AsMemory(0, (int)body.Length));
            var answer = DemoAnswer.To(request.RootElement);
            var id = $"chatcmpl-demo-{Interlocked.Increment(ref _answers)}";
            var created = time.GetUtcNow().ToUnixTimeSeconds();
            return answer.Stream
                ? Respond(HttpStatusCode.OK, DemoRendering.Events(answer, id, created), "text/event-stream")
                : Json(HttpStatusCode.OK, DemoRendering.Completion(answer, id, created));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return Json(HttpStatusCode.BadRequest, DemoRendering.Error("The request is not a chat completion request."));
        }
    }

    private static HttpResponseMessage Json(HttpStatusCode status, byte[] body) => Respond(status, body, "application/json");

    private static HttpResponseMessage Respond(HttpStatusCode status, byte[] body, string contentType) => new(status)
    {
        Content = new ByteArrayContent(body) { Headers = { ContentType = new MediaTypeHeaderValue(contentType) } },
    };
}
