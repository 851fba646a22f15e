using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http;

namespace Gateway.Testing.Mcp;

/// <summary>What <see cref="TestMcpServer"/> does to a request in place of serving it.</summary>
public abstract record McpFault
{
    private const string HalfEvent = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"res";

    /// <summary>A 200 whose body ends in the middle of its JSON.</summary>
    public static McpFault MalformedJson { get; } = new AnswerFault(200, """{"jsonrpc":"2.0","id":""", "application/json");

    /// <summary>A 200 with JSON that is no JSON-RPC message.</summary>
    public static McpFault NotJsonRpc { get; } = new AnswerFault(200, """{"hello":"world"}""", "application/json");

    /// <summary>A 200 with a web page, as a wrong address gives.</summary>
    public static McpFault WebPage { get; } = new AnswerFault(200, "<!doctype html><title>Welcome</title>", "text/html");

    /// <summary>No answer, not even its head, until the client leaves or the server stops.</summary>
    public static McpFault Silence { get; } = new HoldFault([]);

    /// <summary>The request is served, but not answered until the client leaves or the server stops.</summary>
    public static McpFault Unanswered { get; } = new UnansweredFault();

    /// <summary>The head of an event stream, and then nothing until the client leaves or the server stops.</summary>
    public static McpFault SilentStream { get; } = new HoldFault(": open\n\n"u8.ToArray());

    /// <summary>A TCP reset before anything was answered.</summary>
    public static McpFault Reset { get; } = new ResetFault();

    /// <summary>The connection ends in the middle of an event of the answer, before the end of its body.</summary>
    public static McpFault CutAnswer { get; } = new CutFault(Encoding.ASCII.GetBytes(
        string.Create(CultureInfo.InvariantCulture, $"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n{HalfEvent.Length:x}\r\n{HalfEvent}\r\n")));

    /// <summary>An event stream that ends, in order, in the middle of an event.</summary>
    public static McpFault EndedAnswer { get; } = new AnswerFault(200, HalfEvent, "text/event-stream");

    /// <summary>An answer with this status, such as 401, 403, 404 or 500.</summary>
    public static McpFault Status(int status, string body = "", string contentType = "text/plain") => new AnswerFault(status, body, contentType);

    /// <summary>A 307 that points elsewhere.</summary>
    public static McpFault Redirect(Uri location) => new AnswerFault(307, "", "text/plain") { Location = location };

    /// <param name="context">The request.</param>
    /// <param name="serve">What serves the request.</param>
    /// <param name="cancellationToken">The client left or the server stops.</param>
    internal abstract Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken);

    private sealed record AnswerFault(int StatusCode, string Body, string ContentType) : McpFault
    {
        public Uri? Location { get; init; }

        internal override async Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken)
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
        internal override async Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken)
        {
            if (Head.Length > 0)
            {
                context.Response.ContentType = "text/event-stream";
                await context.Response.BodyWriter.WriteAsync(Head, cancellationToken);
            }

            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }
    }

    private sealed record UnansweredFault : McpFault
    {
        internal override async Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken)
        {
            context.Response.Body = Stream.Null;
            await serve(context);
            await new TaskCompletionSource().Task.WaitAsync(cancellationToken);
        }
    }

    private sealed record ResetFault : McpFault
    {
        internal override Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken)
        {
            ResetConnection(context);
            return Task.CompletedTask;
        }
    }

    private sealed record CutFault(byte[] Head) : McpFault
    {
        internal override async Task AnswerAsync(HttpContext context, RequestDelegate serve, CancellationToken cancellationToken)
        {
            // Written to the socket itself: what is still in the server's own buffers is lost when the connection is aborted.
            await SocketOf(context).SendAsync(Head, cancellationToken);
            context.Abort();
        }
    }

    internal static void ResetConnection(HttpContext context)
    {
        SocketOf(context).LingerState = new LingerOption(true, 0);
        context.Abort();
    }

    private static Socket SocketOf(HttpContext context) => context.Features.Get<IConnectionSocketFeature>()!.Socket;
}
