using System.Text.Json.Nodes;

namespace Gateway.Upstream.Probing;

/// <summary>The bodies of the questions. Nothing in them comes from a client.</summary>
internal static class ProbeMessages
{
    /// <summary>No template knows this role: one that prints it prints every role.</summary>
    public const string NoRole = "narrator";

    /// <summary>The least number of tokens of <see cref="Instruction"/> in any tokenizer: its words.</summary>
    public const int InstructionWords = 40;

    private const string Instruction =
        "You are a terse assistant who answers every question with one short word in the language of the question and without any explanation or "
        + "punctuation or greeting or apology because the words are counted by a small program that reads them";

    private const string Question = "Hi";
    private const string ToolName = "ping";

    // Nine letters and digits, the only form that every server takes.
    private const string CallId = "call00001";

    public static JsonArray Plain() => [Message("user", Question)];

    /// <summary>Instructions before the question.</summary>
    public static JsonArray WithSystem() => [Message("system", Instruction), Message("user", Question)];

    /// <summary>Further instructions in this role in the middle, where every role but user and assistant is hardest to place.</summary>
    public static JsonArray WithLateInstruction(string role) =>
    [
        Message("system", Instruction), Message("user", Question), Message("assistant", "Hi"), Message(role, Instruction), Message("user", Question),
    ];

    public static JsonArray TwoUsers() => [Message("user", Question), Message("user", Question)];

    /// <summary>An answered tool call, whose message has this content.</summary>
    public static JsonArray AnsweredCall(JsonNode? content) =>
    [
        Message("user", Question),
        new JsonObject
        {
            ["role"] = "assistant",
            ["content"] = content,
            ["tool_calls"] = new JsonArray(new JsonObject
            {
                ["id"] = CallId,
                ["type"] = "function",
                ["function"] = new JsonObject { ["name"] = ToolName, ["arguments"] = "{}" },
            }),
        },
        new JsonObject { ["role"] = "tool", ["tool_call_id"] = CallId, ["content"] = "pong" },
    ];

    public static JsonArray Tools() =>
    [
        new JsonObject
        {
            ["type"] = "function",
            ["function"] = new JsonObject
            {
                ["name"] = ToolName,
                ["description"] = "Answers pong.",
                ["parameters"] = new JsonObject { ["type"] = "object", ["properties"] = new JsonObject() },
            },
        },
    ];

    public static JsonObject NamedChoice() => new() { ["type"] = "function", ["function"] = new JsonObject { ["name"] = ToolName } };

    public static JsonObject Schema() => new()
    {
        ["type"] = "json_schema",
        ["json_schema"] = new JsonObject
        {
            ["name"] = "answer",
            ["schema"] = new JsonObject
            {
                ["type"] = "object",
                ["properties"] = new JsonObject { ["ok"] = new JsonObject { ["type"] = "boolean" } },
                ["required"] = new JsonArray("ok"),
                ["additionalProperties"] = false,
            },
        },
    };

    public static JsonObject JsonFormat() => new() { ["type"] = "json_object" };

    /// <summary>What every tokenizer endpoint reads: each kind of server takes the text from its own member and leaves the others.</summary>
    public static JsonObject Tokenize(string model) => new() { ["model"] = model, ["prompt"] = Question, ["content"] = Question, ["inputs"] = Question };

    private static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
