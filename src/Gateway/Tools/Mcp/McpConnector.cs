using System.Net;
using Gateway.Telemetry;
using Microsoft.Extensions.Options;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Gateway.Tools.Mcp;

/// <summary>Connects to MCP servers, in the transport that they turn out to speak.</summary>
internal sealed class McpConnector(IOptions<ToolsOptions> options, TimeProvider time, ILogger<McpConnector> logger)
{
    private static readonly Implementation ClientInfo = new()
    {
        Name = "responses-gateway",
        Version = typeof(McpConnector).Assembly.GetName().Version?.ToString(3) ?? "0",
    };

    private readonly McpOptions _options = options.Value.Mcp;

    /// <summary>Connects and agrees on the protocol.</summary>
    /// <param name="server">Where to.</param>
    /// <param name="first">The transport to try first.</param>
    /// <param name="toolsChanged">Called when the server says that its tools have changed.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<McpConnectResult> ConnectAsync(McpServer server, McpTransport first, Action toolsChanged, CancellationToken cancellationToken)
    {
        using var activity = GatewayActivitySource.StartMcp("connect", server.Url.Host);
        using var timeout = new CancellationTokenSource(_options.ConnectTimeout, time);
        // A server that keeps silent on an event stream may speak the other transport: there must be time left to see.
        using var silence = new CancellationTokenSource(first == McpTransport.Sse ? _options.ConnectTimeout / 2 : Timeout.InfiniteTimeSpan, time);
        using var wholeTime = CancellationTokenSource.CreateLinkedTokenSource(timeout.Token, cancellationToken);
        using var firstTime = CancellationTokenSource.CreateLinkedTokenSource(silence.Token, wholeTime.Token);
        McpFailure? failure = null;
        try
        {
            try
            {
                return await OpenAsync(server, first, toolsChanged, firstTime.Token);
            }
            catch (Exception e) when (!wholeTime.IsCancellationRequested && (silence.IsCancellationRequested || MaySpeakOther(e)))
            {
                failure = silence.IsCancellationRequested ? McpFailures.TimedOut(_options.ConnectTimeout / 2) : McpFailures.From(e);
                return await OpenAsync(server, first == McpTransport.Http ? McpTransport.Sse : McpTransport.Http, toolsChanged, wholeTime.Token);
            }
        }
        catch (Exception e)
        {
            // Every exception: what a server can make the library throw is not documented, and none of it is the gateway's fault.
            // When neither transport is spoken, the answer to the one that was asked for is told.
            failure = timeout.IsCancellationRequested ? McpFailures.TimedOut(_options.ConnectTimeout)
                : failure is not null && MaySpeakOther(e) ? failure
                : McpFailures.From(e);
            GatewayActivitySource.Fail(activity, failure.Kind.ToString());
            McpLog.ConnectFailed(logger, server.Label, failure.Kind, failure.HttpStatus);
            return new McpConnectResult(null, failure with { IsNotRun = true });
        }
    }

    /// <summary>The statuses by which servers tell that they do not know the method or the path of a transport.</summary>
    private static bool MaySpeakOther(Exception exception) => exception is HttpRequestException
    {
        StatusCode: HttpStatusCode.BadRequest or HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed or HttpStatusCode.NotAcceptable
            or HttpStatusCode.UnsupportedMediaType or HttpStatusCode.NotImplemented
    };

    private static Dictionary<string, string> HeadersOf(McpServer server)
    {
        var headers = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        foreach (var (name, value) in server.Headers)
        {
            headers[name] = headers.TryGetValue(name, out var before) ? $"{before}, {value}" : value;
        }

        return headers;
    }

    private async Task<McpConnectResult> OpenAsync(McpServer server, McpTransport transport, Action toolsChanged, CancellationToken cancellationToken)
    {
        var http = server.Egress.CreateClient(new McpHttpHandler(server));
        try
        {
            // The library says goodbye to a server that it could not agree with, and waits without limit for the answer.
            var giveUp = cancellationToken.Register(http.Dispose);
            var client = await McpClient.CreateAsync(
                new HttpClientTransport(TransportOptions(server, transport), http), ClientOptions(toolsChanged), loggerFactory: null, cancellationToken);
            await giveUp.DisposeAsync();
            // Too late for a cancellation that came with the answer: it may have closed the client already.
            cancellationToken.ThrowIfCancellationRequested();
            return new McpConnectResult(new McpConnection(client, http, server, transport, _options, time, logger), null);
        }
        catch
        {
            http.Dispose();
            throw;
        }
    }

    private static HttpClientTransportOptions TransportOptions(McpServer server, McpTransport transport) => new()
    {
        Endpoint = server.Url,
        // Not the library's own detection: it does not tell what it found, and does not know the way back from SSE.
        TransportMode = transport == McpTransport.Sse ? HttpTransportMode.Sse : HttpTransportMode.StreamableHttp,
        AdditionalHeaders = HeadersOf(server),
        Name = "mcp",
        // The tokens have the times.
        ConnectionTimeout = Timeout.InfiniteTimeSpan,
    };

    private McpClientOptions ClientOptions(Action toolsChanged) => new()
    {
        // No capabilities and no handlers for them: the library tells a server that asks for sampling, roots or input that there is no such method.
        ClientInfo = ClientInfo,
        Capabilities = new ClientCapabilities(),
        InitializationTimeout = Timeout.InfiniteTimeSpan,
        DiscoverProbeTimeout = _options.ConnectTimeout / 2,
        TimeProvider = time,
        Handlers = new McpClientHandlers
        {
            NotificationHandlers =
            [
                new(NotificationMethods.ToolListChangedNotification, (_, _) =>
                {
                    toolsChanged();
                    return ValueTask.CompletedTask;
                }),
            ],
        },
    };
}
