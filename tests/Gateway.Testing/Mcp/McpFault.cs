using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Gateway.Testing.Mcp;

/// <summary>What <see cref="TestMcpServer"/> does to a request in place of serving it.</summary>
public abstract record McpFault
{
    private static readonly byte[] HalfAnswer = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"res"u8.ToArray();

    /// <summary>A 200 whose body ends in the middle of its JSON.</summary>
    public static McpFault MalformedJson { get; } = new AnswerFault(200, """{"jsonrpc":"2.0","id":""", "application/json");

    /// <summary>A 200 with JSON that is no JSON-RPC message.</summary>
    public static McpFault NotJsonRpc { get; } = new AnswerFault(200, """{"hello":"world"}""", "application/json");

    /// <summary>A 200 with a web page, as a wrong address gives.</summary>
    public static McpFault WebPage { get; } = new AnswerFault(200, "<!doctype html><title>Welcome</title>", "text/html");

    /// <summary>No answer, not even its head, until the client leaves or the server stops.</summary>
    public static McpFault Silence { get; } = new HoldFault([]);

    /// <summary>The head of an event stream, and then nothing until the client leaves or the server stops.</summary>
    public static McpFault SilentStream { get; } = new HoldFault(": open\n\n"u8.ToArray());

    /// <summary>A TCP reset before anything was answered.</summary>
    public static McpFault Reset { get; } = new ResetFault([]);

    /// <summary>A TCP reset in the middle of an event of the answer.</summary>
    public static McpFault CutAnswer { get; } = new ResetFault(HalfAnswer);

    /// <summary>An event stream that ends, in order, in the middle of an event.</summary>
    public static McpFault EndedAnswer { get; } = new AnswerFault(200, Encoding.UTF8.GetString(HalfAnswer), "text/event-stream");

    /// <summary>An answer with this status, such as 401, 403, 404 or 500.</summary>
    public static McpFault Status(int status, string body = "", string contentType = "text/plain") => new AnswerFault(status, body, contentType);

    /// <summary>A 307 that points elsewhere.</summary>
    public static McpFault Redirect(Uri location) => new AnswerFault(307, "", "text/plain") { Location = location };

    internal abstract Task AnswerAsync(HttpContext context, CancellationToken cancellationToken);

    private sealed record AnswerFault(int StatusCode, string Body, string ContentType) : McpFault
    {
        public Uri? Location { get; init; }

        internal override async Task AnswerAsync(HttpContext context, CancellationToken cancellationToken)
        {
            context.Response.StatusCode = StatusCode;
            context.Response.ContentType = ContentType;
            if (Location is not null)
            {
                context.Response.Headers.Location = Location.AbsoluteUri;
            }

            await context.Response.WriteAsync(Body, cancellationToken);
        }
    }

    private sealed record HoldFault(byte[] Head) : McpFault
    {
        internal override async Task AnswerAsync(HttpContext context, CancellationToken cancellationToken)
        {
            if (Head.Length > 0)
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.BodyWriter.WriteAsync(Head, cancellationToken);
            }

            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }
    }

    private sealed record ResetFault(byte[] Head) : McpFault
    {
        internal override async Task AnswerAsync(HttpContext context, CancellationToken cancellationToken)
        {
            if (Head.Length > 0)
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.BodyWriter.WriteAsync(Head, cancellationToken);
            }

            ResetConnection(context);
        }
    }

    internal static void ResetConnection(HttpContext context)
    {
        context.Features.Get<IConnectionSocketFeature>()!.Socket.LingerState = new LingerOption(true, 0);
        context.Abort();
    }
}
