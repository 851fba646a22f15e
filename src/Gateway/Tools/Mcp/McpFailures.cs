using System.Globalization;
using System.Net;
using Gateway.Egress;
using Microsoft.AspNetCore.WebUtilities;
using ModelContextProtocol;

namespace Gateway.Tools.Mcp;

/// <summary>Names what an exception of an exchange with an MCP server means. Of their messages only what the server itself says is passed on.</summary>
internal static class McpFailures
{
    private const int MaxMessageLength = 2_000;

    /// <summary>What the client library puts before the message of a JSON-RPC error.</summary>
    private const string RemotePrefix = "Request failed (remote): ";

    public static McpFailure TimedOut(TimeSpan after) => new(
        McpFailureKind.Timeout, null, string.Create(CultureInfo.InvariantCulture, $"The server did not answer within {after.TotalSeconds:0.###} seconds."));

    public static McpFailure NotMcp() => new(McpFailureKind.Protocol, null, "The server's answer is not a valid answer of an MCP server.");

    /// <summary>What the exception means.</summary>
    /// <param name="exception">Anything that an exchange threw, but for the caller's own cancellation and a timeout.</param>
    /// <param name="isRejected">The HTTP status says that the server did not take the request in.</param>
    public static McpFailure From(Exception exception, bool isRejected = false)
    {
        if (EgressRefusedException.Find(exception) is { } refusal)
        {
            var kind = refusal.Kind == EgressRefusalKind.ResponseTooLarge ? McpFailureKind.Protocol : McpFailureKind.Refused;
            return new McpFailure(kind, null, refusal.Message);
        }

        return exception switch
        {
            HttpRequestException { StatusCode: { } status } => Http(status) with { IsNotRun = isRejected },
            HttpRequestException { HttpRequestError: HttpRequestError.NameResolutionError or HttpRequestError.ConnectionError } =>
                Unreachable("The server could not be connected to.") with { IsNotRun = true },
            HttpRequestException { HttpRequestError: HttpRequestError.SecureConnectionError } =>
                Unreachable("No secure connection to the server could be made.") with { IsNotRun = true },
            // The only time that an HTTP handler measures itself is that to connect.
            OperationCanceledException { InnerException: TimeoutException } =>
                Unreachable("The server could not be connected to.") with { IsNotRun = true },
            McpProtocolException e => new McpFailure(McpFailureKind.Protocol, null, MessageOf(e)) { ErrorCode = (int)e.ErrorCode, IsNotRun = isRejected },
            // The library gives up requests of a connection that closes by cancelling them.
            HttpRequestException or IOException or OperationCanceledException or ObjectDisposedException =>
                Unreachable("The connection to the server ended before its answer."),
            _ => NotMcp(),
        };
    }

    private static McpFailure Http(HttpStatusCode status)
    {
        var phrase = ReasonPhrases.GetReasonPhrase((int)status);
        var message = string.Create(CultureInfo.InvariantCulture, $"Http status code: {(int)status}{(phrase.Length > 0 ? $" ({phrase})" : string.Empty)}");
        return new McpFailure(McpFailureKind.Http, (int)status, message);
    }

    private static McpFailure Unreachable(string message) => new(McpFailureKind.Unreachable, null, message);

    private static string MessageOf(McpProtocolException exception)
    {
        var text = exception.Message.StartsWith(RemotePrefix, StringComparison.Ordinal) ? exception.Message[RemotePrefix.Length..] : exception.Message;
        if (text.Length > MaxMessageLength)
        {
            text = $"{text.AsSpan(0, MaxMessageLength)}…";
        }

        return string.Create(CultureInfo.InvariantCulture, $"MCP error {(int)exception.ErrorCode}: {text}");
    }
}
