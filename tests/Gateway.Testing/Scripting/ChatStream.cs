using System.Globalization;
using System.Text;

namespace Gateway.Testing.Scripting;

/// <summary>Builds the event stream of a Chat Completions server, event by event, in any shape a server was ever seen to send.</summary>
public sealed class ChatStream
{
    private readonly List<ChatStep> _steps = [];
    private readonly string _newLine;

    /// <param name="newLine">The line end of the whole stream.</param>
    public ChatStream(string newLine = "\n") => _newLine = newLine;

    /// <summary>Bytes as they are.</summary>
    public ChatStream Raw(string text) => Add(new SendStep(Encoding.UTF8.GetBytes(text)));

    public ChatStream Raw(byte[] bytes) => Add(new SendStep(bytes));

    /// <summary>One event with this data.</summary>
    public ChatStream Data(string data) => Raw($"data: {data}{_newLine}{_newLine}");

    public ChatStream Comment(string text) => Raw($": {text}{_newLine}{_newLine}");

    /// <summary>A chunk with one choice.</summary>
    /// <param name="delta">The choice's delta, JSON.</param>
    /// <param name="finish">The finish_reason, or null.</param>
    /// <param name="more">Further members of the chunk, JSON text starting with a comma.</param>
    /// <param name="choiceMore">Further members of the choice, likewise.</param>
    public ChatStream Delta(string delta, string? finish = null, string more = "", string choiceMore = "") =>
        Data(Chunk($$"""[{"index":0,"delta":{{delta}},"finish_reason":{{ChatJson.QuoteOrNull(finish)}}{{choiceMore}}}]""", more));

    public ChatStream Role() => Delta("""{"role":"assistant","content":""}""");

    public ChatStream Text(params IEnumerable<string> pieces) => Each(pieces, piece => $$"""{"content":{{ChatJson.Quote(piece)}}}""");

    public ChatStream Reasoning(string field, params IEnumerable<string> pieces) =>
        Each(pieces, piece => $$"""{"{{field}}":{{ChatJson.Quote(piece)}}}""");

    public ChatStream Refusal(params IEnumerable<string> pieces) => Each(pieces, piece => $$"""{"refusal":{{ChatJson.Quote(piece)}}}""");

    /// <summary>One tool call in the usual shape: id and name first, then the pieces of its arguments by index.</summary>
    public ChatStream ToolCall(int index, string id, string name, params IEnumerable<string> arguments)
    {
        ToolDelta(string.Create(
            CultureInfo.InvariantCulture,
            $$$"""{"index":{{{index}}},"id":{{{ChatJson.Quote(id)}}},"type":"function","function":{"name":{{{ChatJson.Quote(name)}}},"arguments":""}}"""));
        foreach (var piece in arguments)
        {
            ToolDelta(string.Create(CultureInfo.InvariantCulture, $$$"""{"index":{{{index}}},"function":{"arguments":{{{ChatJson.Quote(piece)}}}}}"""));
        }

        return this;
    }

    /// <summary>A delta with this element of tool_calls, JSON.</summary>
    public ChatStream ToolDelta(string call) => Delta($$"""{"tool_calls":[{{call}}]}""");

    public ChatStream Finish(string reason, ChatUsage? usage = null) => Delta("{}", reason, usage is null ? "" : $",\"usage\":{usage.ToJson()}");

    /// <summary>The usage chunk with empty choices.</summary>
    public ChatStream Usage(ChatUsage usage) => Data(Chunk("[]", $",\"usage\":{usage.ToJson()}"));

    public ChatStream Done() => Data("[DONE]");

    /// <summary>The usual end: finish reason, usage chunk, <c>[DONE]</c>.</summary>
    public ChatScript End(string reason = "stop", ChatUsage? usage = null) => Finish(reason).Usage(usage ?? new ChatUsage(11, 7)).Done().ToScript();

    public ChatStream Hold() => Add(new HoldStep());

    public ChatStream Reset() => Add(new ResetStep());

    public ChatScript ToScript() => new() { Steps = [.. _steps] };

    private static string Chunk(string choices, string more) =>
        $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1735000000,"model":"scripted","choices":{{choices}}{{more}}}""";

    private ChatStream Each(IEnumerable<string> pieces, Func<string, string> delta)
    {
        foreach (var piece in pieces)
        {
            Delta(delta(piece));
        }

        return this;
    }

    private ChatStream Add(ChatStep step)
    {
        _steps.Add(step);
        return this;
    }
}
