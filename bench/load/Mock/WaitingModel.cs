using System.Text;

namespace Gateway.Load.Mock;

/// <summary>
/// A model that waits and then says how long. Offered a tool it first calls it, and hands on what it has waited; with the tool's result it
/// answers with the sum.
/// </summary>
internal static class WaitingModel
{
    /// <summary>Model and tool wait as the options say.</summary>
    public const string Waits = "mock-waits";

    /// <summary>Neither waits.</summary>
    public const string Instant = "mock-instant";

    // As the gateway names it to the model.
    private const string Tool = ToolServer.Label + "__" + ToolServer.Tool;

    private const string Head = "{\"id\":\"chatcmpl-load\",\"created\":1767225600,\"model\":\"mock\",\"object\":\"chat.completion";
    private const string Usage = "\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":20,\"total_tokens\":140}}";

    public static bool IsMeant(ReadOnlySpan<byte> body) => IsInstant(body) || body.IndexOf("\"mock-waits\""u8) >= 0;

    public static WaitingTurn Read(ReadOnlySpan<byte> body, MockOptions options)
    {
        var before = Waited.FindLast(body);
        var isInstant = IsInstant(body);
        return new WaitingTurn(
            Streams: body.IndexOf("\"stream\":true"u8) >= 0,
            CallsTool: before is null && body.IndexOf("\"tools\":["u8) >= 0,
            Wait: isInstant ? TimeSpan.Zero : options.ModelWait,
            ToolWait: isInstant ? TimeSpan.Zero : options.ToolWait,
            Before: before ?? 0);
    }

    /// <summary>The whole answer, behind the wait.</summary>
    public static async ValueTask<byte[]> AnswerAsync(WaitingTurn turn, CancellationToken cancellationToken)
    {
        var waited = turn.Before + await Waited.ForAsync(turn.Wait, cancellationToken);
        var (message, reason) = turn.CallsTool ? (CallOf(turn, waited), "tool_calls") : ($"\"content\":\"{Waited.ToText(waited)}\"", "stop");
        return Encoding.UTF8.GetBytes(turn.Streams
            ? Event("{\"role\":\"assistant\"}", "null") + Event($"{{{message}}}", "null") + Event("{}", $"\"{reason}\"")
                + $"data: {Head}.chunk\",\"choices\":[],{Usage}\n\ndata: [DONE]\n\n"
            : $"{Head}\",\"choices\":[{{\"index\":0,\"message\":{{\"role\":\"assistant\",{message}}},\"finish_reason\":\"{reason}\"}}],{Usage}");
    }

    private static string CallOf(WaitingTurn turn, long waited)
    {
        var arguments = $$"""{\"{{ToolServer.WaitArgument}}\":{{(int)turn.ToolWait.TotalMilliseconds}},\"{{ToolServer.BeforeArgument}}\":{{waited}} }""";
        return $$"""
            "tool_calls":[{"index":0,"id":"call_load","type":"function","function":{"name":"{{Tool}}","arguments":"{{arguments}}"} }]
            """;
    }

    private static string Event(string delta, string reason) =>
        $"data: {Head}.chunk\",\"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{reason}}}]}}\n\n";

    private static bool IsInstant(ReadOnlySpan<byte> body) => body.IndexOf("\"mock-instant\""u8) >= 0;
}
