using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gateway.Tests.Tools.Mcp;

/// <summary>One request to a <see cref="RawMcpServer"/>, and ways to answer it.</summary>
internal sealed class RawMcpExchange(HttpContext context, JsonObject? message)
{
    public HttpContext Context { get; } = context;

    /// <summary>The JSON-RPC message; null when there is none.</summary>
    public JsonObject? Message { get; } = message;

    public string HttpMethod { get; } = context.Request.Method;

    public string? Method => (string?)Message?["method"];

    public string? SessionId { get; } = context.Request.Headers["Mcp-Session-Id"];

    /// <summary>Answers with a result, as JSON.</summary>
    public Task ResultAsync(string result) => WriteAsync(200, $$"""{"jsonrpc":"2.0","id":{{Message!["id"]!.ToJsonString()}},"result":{{result}}}""");

    /// <summary>Answers with a JSON-RPC error at this HTTP status.</summary>
    public Task ErrorAsync(int status, int code, string message) =>
        WriteAsync(status, $$$"""{"jsonrpc":"2.0","id":{{{Message!["id"]?.ToJsonString() ?? "null"}}},"error":{"code":{{{code}}},"message":"{{{message}}}"}}""");

    public Task WriteAsync(int status, string json)
    {
        Context.Response.StatusCode = status;
        Context.Response.ContentType = "application/json";
        return Context.Response.WriteAsync(json);
    }

    /// <summary>Sends the head of an event stream, and nothing that is an event.</summary>
    public Task OpenStreamAsync() => StreamAsync(": open\n\n");

    /// <summary>Sends one event of a stream at once.</summary>
    public Task EventAsync(string data, string type = "message") => StreamAsync($"event: {type}\ndata: {data}\n\n");

    /// <summary>Sends the result as an event.</summary>
    public Task ResultEventAsync(string result) => EventAsync($$"""{"jsonrpc":"2.0","id":{{Message!["id"]!.ToJsonString()}},"result":{{result}}}""");

    private async Task StreamAsync(string text)
    {
        if (!Context.Response.HasStarted)
        {
            Context.Response.ContentType = "text/event-stream";
        }

        await Context.Response.WriteAsync(text);
        await Context.Response.Body.FlushAsync();
    }
}
