using System.Diagnostics;
using System.Globalization;
using System.Text;
using Gateway.Load.Mock;
using ModelContextProtocol.Client;
using ModelContextProtocol.Protocol;

namespace Gateway.Load.Run;

/// <summary>
/// The same turn without a gateway: the client asks the model, calls the tool over a kept MCP connection, and asks the model again. What model
/// and tool take with the ways to them, which a gateway can not take away.
/// </summary>
internal sealed class DirectTurn : IAsyncDisposable
{
    private const string Question = """{"role":"user","content":"How long does it take?"}""";
    private readonly Uri _model;
    private readonly LoadClient _http = new();
    private readonly McpClient _tools;

    private DirectTurn(Uri model, McpClient tools)
    {
        _model = new Uri(model, "/v1/chat/completions");
        _tools = tools;
    }

    public static async Task<DirectTurn> ConnectAsync(Uri model, Uri toolServer, CancellationToken cancellationToken)
    {
        var transport = new HttpClientTransport(new HttpClientTransportOptions
        {
            Endpoint = new Uri(toolServer, ToolServer.Path),
            TransportMode = HttpTransportMode.StreamableHttp,
        });
        return new DirectTurn(model, await McpClient.CreateAsync(transport, cancellationToken: cancellationToken));
    }

    /// <summary>Takes one turn.</summary>
    /// <returns>How long it took, and what model and tool waited of that, in <see cref="Stopwatch"/> ticks.</returns>
    public async Task<(long Latency, long Waited)> RunAsync(ToolVariant variant, AnswerReader reader, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        await AskAsync(variant, "\"tools\":[{\"type\":\"function\",\"function\":{\"name\":\"clock__wait\"}}],", Question, reader, cancellationToken);
        var text = Encoding.UTF8.GetString(reader.Content);
        var result = await _tools.CallToolAsync(
            ToolServer.Tool,
            new Dictionary<string, object?>
            {
                [ToolServer.WaitArgument] = NumberBehind(text, ToolServer.WaitArgument),
                [ToolServer.BeforeArgument] = NumberBehind(text, ToolServer.BeforeArgument),
            },
            cancellationToken: cancellationToken);
        var output = result.Content.OfType<TextContentBlock>().Single().Text;
        await AskAsync(variant, string.Empty, $$"""{{Question}},{"role":"tool","tool_call_id":"call_load","content":"{{output}}"}""", reader, cancellationToken);
        var latency = Stopwatch.GetTimestamp() - started;
        return (latency, Waited.FindLast(reader.Content) ?? throw new LoadException("An answer does not say what was waited for."));
    }

    public async ValueTask DisposeAsync()
    {
        await _tools.DisposeAsync();
        _http.Dispose();
    }

    private async Task AskAsync(ToolVariant variant, string tools, string messages, AnswerReader reader, CancellationToken cancellationToken) => await _http.SendAsync(
        new Call
        {
            Uri = _model,
            Body = Encoding.UTF8.GetBytes(
                $$"""{"model":"{{variant.Model}}","stream":{{(variant.Streams ? "true" : "false")}},{{tools}}"messages":[{{messages}}]}"""),
            Deltas = 0,
            Stamped = false,
            DeltaMark = [],
            EndMark = "\"finish_reason\":\""u8.ToArray(),
        },
        reader,
        cancellationToken);

    /// <summary>The number of a member of the call's arguments, which are escaped text.</summary>
    private static long NumberBehind(string text, string member)
    {
        var start = text.IndexOf($"\\\"{member}\\\":", StringComparison.Ordinal) + member.Length + 5;
        var length = text.AsSpan(start).IndexOfAnyExceptInRange('0', '9');
        return long.Parse(text.AsSpan(start, length), CultureInfo.InvariantCulture);
    }
}
