using System.Text;
using System.Text.Json;

namespace Gateway.Upstream.Demo;

/// <summary>What the demo answers to one request.</summary>
internal sealed record DemoAnswer
{
    /// <summary>Longer texts are echoed up to here, so that no request makes the demo hold much.</summary>
    private const int MaxWords = 2000;

    public required bool Stream { get; init; }

    public required bool IncludeUsage { get; init; }

    /// <summary>The words of the text, each with the space before it; empty with a tool call.</summary>
    public IReadOnlyList<string> Words { get; init; } = [];

    /// <summary>The called tool; null when the answer is text.</summary>
    public string? Tool { get; init; }

    /// <summary>The call's arguments, JSON.</summary>
    public string Arguments { get; init; } = "{}";

    /// <summary>The text was cut at the request's token limit.</summary>
    public bool Cut { get; init; }

    public required int PromptTokens { get; init; }

    /// <summary>A token is a word here.</summary>
    public int CompletionTokens => Tool is null ? Words.Count : 1;

    public string FinishReason => Tool is not null ? "tool_calls" : Cut ? "length" : "stop";

    /// <exception cref="InvalidOperationException">The request has another shape than chat completions have.</exception>
    public static DemoAnswer To(JsonElement request)
    {
        var messages = request.TryGetProperty("messages", out var list) ? list.EnumerateArray().ToList() : [];
        var answer = new DemoAnswer
        {
            Stream = IsTrue(request, "stream"),
            IncludeUsage = request.TryGetProperty("stream_options", out var options) && IsTrue(options, "include_usage"),
            PromptTokens = messages.Sum(m => Split(TextOf(m)).Length),
        };
        var last = messages.LastOrDefault();
        var answersTool = last.ValueKind == JsonValueKind.Object && RoleOf(last) == "tool";
        var said = TextOf(messages.LastOrDefault(m => RoleOf(m) == "user"));
        return !answersTool && ChooseTool(request, said) is { } tool
            ? answer with { Tool = NameOf(tool), Arguments = SchemaSample.Write(Get(tool, "parameters"), said) }
            : answer.WithText(answersTool ? $"The tool answered: {TextOf(last)}" : Compose(request, said), LimitOf(request));
    }

    private static string Compose(JsonElement request, string said)
    {
        if (Get(request, "response_format") is { ValueKind: JsonValueKind.Object } format && Get(format, "type") is { ValueKind: JsonValueKind.String } type)
        {
            if (type.ValueEquals("json_schema"))
            {
                return SchemaSample.Write(Get(Get(format, "json_schema"), "schema"), said);
            }

            if (type.ValueEquals("json_object"))
            {
                return $$"""{"echo":{{JsonSerializer.Serialize(said, DemoJson.Default.String)}}}""";
            }
        }

        return said.Length == 0 ? "Hello from the demo upstream." : said;
    }

    private DemoAnswer WithText(string text, int limit)
    {
        var words = Split(text).Take(Math.Min(limit, MaxWords) + 1).ToList();
        var cut = words.Count > Math.Min(limit, MaxWords);
        return this with { Words = [.. words.Take(Math.Min(limit, MaxWords)).Select((w, i) => i == 0 ? w : $" {w}")], Cut = cut };
    }

    /// <summary>The tool that must be called, or that the text asks for by "call NAME"; null when there is none.</summary>
    private static JsonElement? ChooseTool(JsonElement request, string said)
    {
        var tools = request.TryGetProperty("tools", out var list) && list.ValueKind == JsonValueKind.Array
            ? list.EnumerateArray().Select(t => Get(t, "function")).OfType<JsonElement>().ToList()
            : [];
        if (tools.Count == 0)
        {
            return null;
        }

        var choice = Get(request, "tool_choice");
        if (choice is { ValueKind: JsonValueKind.Object } named)
        {
            var name = NameOf(Get(named, "function") ?? named);
            return tools.Where(t => NameOf(t) == name).Select(t => (JsonElement?)t).FirstOrDefault();
        }

        var mode = choice is { ValueKind: JsonValueKind.String } text ? text.GetString() : "auto";
        if (mode == "none")
        {
            return null;
        }

        var asked = tools.Where(t => said.Contains($"call {NameOf(t)}", StringComparison.OrdinalIgnoreCase)).Select(t => (JsonElement?)t).FirstOrDefault();
        return asked ?? (mode == "required" ? tools[0] : null);
    }

    private static int LimitOf(JsonElement request) =>
        new[] { Get(request, "max_completion_tokens"), Get(request, "max_tokens") }.OfType<JsonElement>()
            .Where(e => e.ValueKind == JsonValueKind.Number).Select(e => e.GetInt32()).FirstOrDefault(MaxWords);

    private static string TextOf(JsonElement message)
    {
        var content = message.ValueKind == JsonValueKind.Object ? Get(message, "content") : null;
        switch (content)
        {
            case { ValueKind: JsonValueKind.String } text:
                return text.GetString()!;
            case { ValueKind: JsonValueKind.Array } parts:
                var joined = new StringBuilder();
                foreach (var part in parts.EnumerateArray())
                {
                    if (Get(part, "text") is { ValueKind: JsonValueKind.String } piece)
                    {
                        joined.Append(joined.Length > 0 ? "\n" : "").Append(piece.GetString());
                    }
                }

                return joined.ToString();
            default:
                return "";
        }
    }

    private static string[] Split(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);

    private static string? RoleOf(JsonElement message) => Get(message, "role")?.GetString();

    private static string NameOf(JsonElement? function) => Get(function, "name")?.GetString() ?? "";

    private static bool IsTrue(JsonElement parent, string name) => Get(parent, name) is { ValueKind: JsonValueKind.True };

    private static JsonElement? Get(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } && parent.Value.TryGetProperty(name, out var value) ? value : null;
}
