using System.Text;
using System.Text.Json.Nodes;

namespace Gateway.Testing.Scripting;

/// <summary>What a well-behaved server says in one turn, as a stream or as one JSON document, whichever the request asks for.</summary>
public sealed record ChatAnswer
{
    public string? Text { get; init; }

    public string? Reasoning { get; init; }

    public string ReasoningField { get; init; } = "reasoning_content";

    public string? Refusal { get; init; }

    public IReadOnlyList<ChatToolCall> ToolCalls { get; init; } = [];

    /// <summary>Default: tool_calls with calls, else stop.</summary>
    public string? FinishReason { get; init; }

    public ChatUsage? Usage { get; init; } = new(11, 7);

    /// <summary>Characters in one delta of the stream.</summary>
    public int PieceLength { get; init; } = 5;

    private string Finish => FinishReason ?? (ToolCalls.Count > 0 ? "tool_calls" : "stop");

    public static ChatAnswer Say(string text) => new() { Text = text };

    public static ChatAnswer Call(params IReadOnlyList<ChatToolCall> calls) => new() { ToolCalls = calls };

    public ChatScript For(JsonObject request) => request["stream"]?.GetValue<bool>() == true ? ToStream() : ToJson();

    public ChatScript ToStream()
    {
        var stream = new ChatStream().Role();
        stream.Reasoning(ReasoningField, Pieces(Reasoning)).Text(Pieces(Text)).Refusal(Pieces(Refusal));
        for (var i = 0; i < ToolCalls.Count; i++)
        {
            stream.ToolCall(i, ToolCalls[i].Id, ToolCalls[i].Name, Pieces(ToolCalls[i].Arguments));
        }

        stream.Finish(Finish);
        if (Usage is not null)
        {
            stream.Usage(Usage);
        }

        return stream.Done().ToScript();
    }

    public ChatScript ToJson()
    {
        var message = new StringBuilder("{\"role\":\"assistant\",\"content\":").Append(ChatJson.QuoteOrNull(Text));
        if (Reasoning is not null)
        {
            message.Append(",\"").Append(ReasoningField).Append("\":").Append(ChatJson.Quote(Reasoning));
        }

        if (Refusal is not null)
        {
            message.Append(",\"refusal\":").Append(ChatJson.Quote(Refusal));
        }

        if (ToolCalls.Count > 0)
        {
            message.Append(",\"tool_calls\":[").AppendJoin(',', ToolCalls.Select(call =>
                $$$"""{"id":{{{ChatJson.Quote(call.Id)}}},"type":"function","function":{"name":{{{ChatJson.Quote(call.Name)}}},"arguments":{{{ChatJson.Quote(call.Arguments)}}}}}""")).Append(']');
        }

        message.Append('}');
        var usage = Usage is null ? "" : $",\"usage\":{Usage.ToJson()}";
        return ChatScript.Of(
            200,
            $$"""{"id":"chatcmpl-1","object":"chat.completion","created":1735000000,"model":"scripted","choices":[{"index":0,"message":{{message}},"finish_reason":{{ChatJson.Quote(Finish)}}}]{{usage}}}""");
    }

    private IEnumerable<string> Pieces(string? text)
    {
        if (text is null)
        {
            yield break;
        }

        var piece = new StringBuilder();
        foreach (var rune in text.EnumerateRunes())
        {
            piece.Append(rune.ToString());
            if (piece.Length >= PieceLength)
            {
                yield return piece.ToString();
                piece.Clear();
            }
        }

        if (piece.Length > 0)
        {
            yield return piece.ToString();
        }
    }
}
