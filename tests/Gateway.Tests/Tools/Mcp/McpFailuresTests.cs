using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Gateway.Egress;
using Gateway.Tools.Mcp;
using ModelContextProtocol;

namespace Gateway.Tests.Tools.Mcp;

public sealed class McpFailuresTests
{
    private const string Secret = "10.1.2.3:8080 Bearer secret";

    [Fact]
    public void From_HttpStatus_IsToldWithItsPhraseOnly()
    {
        var failure = McpFailures.From(new HttpRequestException(Secret, null, HttpStatusCode.Unauthorized));

        Assert.Equal(new McpFailure(McpFailureKind.Http, 401, "Http status code: 401 (Unauthorized)"), failure);
    }

    [Fact]
    public void From_HttpStatusWithoutPhrase_IsANumber() =>
        Assert.Equal("Http status code: 599", McpFailures.From(new HttpRequestException(Secret, null, (HttpStatusCode)599)).Message);

    [Theory]
    [InlineData(HttpRequestError.ConnectionError, true)]
    [InlineData(HttpRequestError.NameResolutionError, true)]
    [InlineData(HttpRequestError.SecureConnectionError, true)]
    [InlineData(HttpRequestError.ResponseEnded, false)]
    [InlineData(HttpRequestError.Unknown, false)]
    public void From_FailedRequest_IsNotRunOnlyWhenThereWasNoConnection(HttpRequestError error, bool isNotRun)
    {
        var failure = McpFailures.From(new HttpRequestException(error, Secret, new SocketException(111)));

        Assert.Equal((McpFailureKind.Unreachable, isNotRun), (failure.Kind, failure.IsNotRun));
        Assert.DoesNotContain("10.1", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void From_ConnectTimeout_IsNotRun()
    {
        var failure = McpFailures.From(new TaskCanceledException(Secret, new TimeoutException(Secret)));

        Assert.Equal(new McpFailure(McpFailureKind.Unreachable, null, "The server could not be connected to.") { IsNotRun = true }, failure);
    }

    [Fact]
    public void From_JsonRpcError_IsTheServersMessageWithItsCode()
    {
        var failure = McpFailures.From(new McpProtocolException("Request failed (remote): No such city", McpErrorCode.InvalidParams));

        Assert.Equal(new McpFailure(McpFailureKind.Protocol, null, "MCP error -32602: No such city") { ErrorCode = -32602 }, failure);
    }

    [Fact]
    public void From_LongJsonRpcError_IsCut()
    {
        var failure = McpFailures.From(new McpProtocolException(new string('x', 5_000), McpErrorCode.InternalError));

        Assert.Equal($"MCP error -32603: {new string('x', 2_000)}…", failure.Message);
    }

    [Fact]
    public void From_RejectedRequest_IsNotRun()
    {
        Assert.True(McpFailures.From(new HttpRequestException(null, null, HttpStatusCode.NotFound), isRejected: true).IsNotRun);
        Assert.True(McpFailures.From(new McpProtocolException("No session", (McpErrorCode)(-32000)), isRejected: true).IsNotRun);
    }

    [Fact]
    public void From_Refusal_IsFoundHoweverDeep()
    {
        var refusal = new EgressRefusal(EgressRefusalKind.AddressNotAllowed);
        var exception = new InvalidOperationException(Secret, new HttpRequestException(Secret, new EgressRefusedException(refusal)));

        Assert.Equal(new McpFailure(McpFailureKind.Refused, null, refusal.Message), McpFailures.From(exception));
    }

    [Fact]
    public void From_AnswerAboveTheLimit_IsTheServersFault()
    {
        var failure = McpFailures.From(new EgressRefusedException(new EgressRefusal(EgressRefusalKind.ResponseTooLarge)));

        Assert.Equal(new McpFailure(McpFailureKind.Protocol, null, "The server's answer is too large."), failure);
    }

    [Fact]
    public void From_EveryOtherException_TellsNothingOfIt()
    {
        Exception[] exceptions =
        [
            new IOException(Secret), new OperationCanceledException(Secret), new ObjectDisposedException(Secret), new McpException(Secret),
            new JsonException(Secret), new InvalidOperationException(Secret), new ArgumentException(Secret),
        ];

        Assert.All(exceptions.Select(e => McpFailures.From(e)), failure =>
        {
            Assert.DoesNotContain("secret", failure.Message, StringComparison.OrdinalIgnoreCase);
            Assert.False(failure.IsNotRun);
        });
    }

    [Theory]
    [InlineData(60, "The server did not answer within 60 seconds.")]
    [InlineData(0.5, "The server did not answer within 0.5 seconds.")]
    public void TimedOut_Time_IsToldInSeconds(double seconds, string message) =>
        Assert.Equal(new McpFailure(McpFailureKind.Timeout, null, message), McpFailures.TimedOut(TimeSpan.FromSeconds(seconds)));
}
