using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gateway.Testing.Mcp;

/// <summary>One HTTP request that <see cref="TestMcpServer"/> got, whether it served it or not.</summary>
public sealed class RecordedMcpRequest
{
    private readonly TaskCompletionSource<long> _clientLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal RecordedMcpRequest(HttpRequest request, ReadOnlyMemory<byte> body, string connection)
    {
        HttpMethod = request.Method;
        Path = request.Path.Value ?? "";
        Query = request.QueryString.Value ?? "";
        Headers = request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        SessionId = Headers.GetValueOrDefault("Mcp-Session-Id") ?? (request.Query.TryGetValue("sessionId", out var id) ? id.ToString() : null);
        Connection = connection;
        Message = Parse(body);
    }

    /// <summary>POST for a message, GET for a stream, DELETE for the end of a session.</summary>
    public string HttpMethod { get; }

    /// <summary><c>/mcp</c>, or <c>/sse</c> and <c>/message</c> of the legacy transport.</summary>
    public string Path { get; }

    /// <summary>The query with its question mark; empty when there is none.</summary>
    public string Query { get; }

    public IReadOnlyDictionary<string, string> Headers { get; }

    /// <summary>The session that the request names; null when it names none.</summary>
    public string? SessionId { get; }

    /// <summary>The connection it came on: equal for requests on one kept-alive connection.</summary>
    public string Connection { get; }

    /// <summary>The JSON-RPC message; null when the body is no JSON object.</summary>
    public JsonObject? Message { get; }

    /// <summary>The JSON-RPC method, such as <c>tools/call</c>; null when the request carries none.</summary>
    public string? Method => (string?)Message?["method"];

    public JsonObject? Params => Message?["params"] as JsonObject;

    /// <summary>The tool that a <c>tools/call</c> names.</summary>
    public string? Name => (string?)Params?["name"];

    /// <summary>The arguments of a <c>tools/call</c>.</summary>
    public JsonObject? Arguments => Params?["arguments"] as JsonObject;

    /// <summary>The <c>_meta</c> of the parameters. The 2026-07-28 revision of the protocol adds members of its own to it.</summary>
    public JsonObject? Meta => Params?["_meta"] as JsonObject;

    /// <summary>Done, with a <see cref="Stopwatch"/> timestamp, when the client broke the request off before the answer's end.</summary>
    public Task<long> ClientLeft => _clientLeft.Task;

    internal void SetClientLeft() => _clientLeft.TrySetResult(Stopwatch.GetTimestamp());

    private static JsonObject? Parse(ReadOnlyMemory<byte> body)
    {
        try
        {
            return body.IsEmpty ? null : JsonNode.Parse(body.Span) as JsonObject;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
