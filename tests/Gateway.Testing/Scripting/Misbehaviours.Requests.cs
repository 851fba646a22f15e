using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Gateway.Testing.Scripting;

/// <summary>Servers that look at the request: what they reject, they reject with a 400; everything else they answer.</summary>
public static partial class Misbehaviours
{
    private static IEnumerable<MisbehaviourCase> RequestCases()
    {
        yield return Rule(Misbehaviour.RefusesStreamOptions, request =>
            request["stream_options"] is null ? null : "Unknown parameter: 'stream_options'.");
        yield return Rule(Misbehaviour.RejectsDeveloper, request =>
            Messages(request).Any(m => Role(m) == "developer") ? "Unexpected message role: developer" : null);
        yield return Rule(Misbehaviour.RejectsSecondSystem, request =>
            Messages(request).Skip(1).Any(m => Role(m) == "system") ? "System message must be at the beginning." : null);
        yield return Rule(Misbehaviour.RejectsConsecutiveUser, request =>
            Messages(request).Zip(Messages(request).Skip(1)).Any(pair => Role(pair.First) == Role(pair.Second) && Role(pair.First) != "tool")
                ? "Conversation roles must alternate user/assistant/user/assistant/..." : null);
        yield return Rule(Misbehaviour.RejectsNullContent, request =>
            Messages(request).Any(m => m.ContainsKey("content") && m["content"] is null) ? "content must be a string" : null);
        yield return Rule(Misbehaviour.RejectsUnansweredCall, UnansweredCall);
        yield return Rule(Misbehaviour.RejectsEmptyTools, request =>
            request["tools"] is JsonArray { Count: 0 } || (request["tools"] is null && (request["tool_choice"] ?? request["parallel_tool_calls"]) is not null)
                ? "tools: must not be empty" : null);
        yield return Rule(Misbehaviour.NineCharacterIds, request =>
            CallIds(request).FirstOrDefault(id => !NineCharacters().IsMatch(id)) is { } id
                ? $"Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9." : null);
        yield return Rule(Misbehaviour.RequiresReasoningBack, request =>
            Messages(request).Reverse().TakeWhile(m => Role(m) != "user").Any(m => m["tool_calls"] is not null && m["reasoning_content"] is null)
                ? "The `reasoning_content` in the thinking mode must be passed back to the API." : null);
        yield return new MisbehaviourCase(Misbehaviour.IgnoresNamedChoice, "", () => request =>
            request["tool_choice"] is JsonObject || request["tools"] is not JsonArray { Count: 1 }
                ? ChatAnswer.Say(Text).For(request)
                : ChatAnswer.Call(new ChatToolCall("call_a", ToolName, OsloArguments)).For(request));
    }

    /// <summary>A server that answers 400 with the rule's message, when it gives one, and otherwise answers with reasoning, text, and a call when tools are offered and none was answered yet.</summary>
    private static MisbehaviourCase Rule(Misbehaviour kind, Func<JsonObject, string?> rule) => new(kind, "", () => request =>
    {
        if (rule(request) is { } message)
        {
            return ChatScript.Of(400, new JsonObject { ["error"] = new JsonObject { ["message"] = message, ["type"] = "invalid_request_error" } }.ToJsonString());
        }

        var answersTool = Messages(request).LastOrDefault() is { } last && Role(last) == "tool";
        return request["tools"] is JsonArray { Count: > 0 } && !answersTool
            ? new ChatAnswer { Reasoning = Reasoning, ToolCalls = [new ChatToolCall("call_a", ToolName, OsloArguments)] }.For(request)
            : ChatAnswer.Say(Text).For(request);
    });

    private static string? UnansweredCall(JsonObject request)
    {
        var open = new HashSet<string>();
        foreach (var message in Messages(request))
        {
            if (Role(message) == "tool")
            {
                if (!open.Remove(message["tool_call_id"]!.GetValue<string>()))
                {
                    return "Messages with role 'tool' must be a response to a preceding message with 'tool_calls'.";
                }

                continue;
            }

            if (open.Count > 0)
            {
                break;
            }

            open.UnionWith(Calls(message).Select(call => call["id"]!.GetValue<string>()));
        }

        return open.Count == 0
            ? null
            : "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'.";
    }

    private static IEnumerable<JsonObject> Messages(JsonObject request) => request["messages"]?.AsArray().OfType<JsonObject>() ?? [];

    private static IEnumerable<JsonObject> Calls(JsonObject message) => message["tool_calls"]?.AsArray().OfType<JsonObject>() ?? [];

    private static IEnumerable<string> CallIds(JsonObject request) =>
        Messages(request).SelectMany(m => Calls(m).Select(call => call["id"]).Append(m["tool_call_id"])).OfType<JsonNode>().Select(id => id.GetValue<string>());

    private static string? Role(JsonObject message) => message["role"]?.GetValue<string>();

    [GeneratedRegex("^[A-Za-z0-9]{9}$")]
    private static partial Regex NineCharacters();
}
