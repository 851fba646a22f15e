using System.Text.Json;

namespace Gateway.Check;

/// <summary>What holds for every response object, as far as clients break where it does not.</summary>
internal static class ResponseRules
{
    private static readonly HashSet<string> Statuses = ["queued", "in_progress", "completed", "incomplete", "failed", "cancelled"];

    /// <summary>Ends that are no failure: the model stopped, or was cut where the check told it to.</summary>
    public static bool IsMade(JsonElement response) => response.Text("status") is "completed" or "incomplete";

    public static bool IsOver(JsonElement response) => response.Text("status") is not ("queued" or "in_progress");

    /// <summary>Any snapshot.</summary>
    /// <param name="response">The object.</param>
    /// <param name="model">The model that was asked for.</param>
    /// <param name="mayLackId">The dialect gives no id to what is not stored.</param>
    public static void Check(JsonElement response, string model, bool mayLackId = false)
    {
        Expect.That(response.Text("object") == "response", "the answer is no response object");
        Expect.That(
            response.Text("id")?.StartsWith("resp_", StringComparison.Ordinal) == true || (mayLackId && response.Truth("store") == false && response.At("id").ValueKind == JsonValueKind.Null),
            "the response's id does not begin with resp_");
        Expect.That(response.Number("created_at") is not null, "created_at is no integer");
        Expect.That(Statuses.Contains(response.Text("status") ?? ""), "the response has no status of the API's");
        Expect.That(response.Text("model") == model, "the response names another model than the request");
        Expect.That(response.At("output").ValueKind == JsonValueKind.Array, "the response has no output array");
        Expect.That(response.Truth("parallel_tool_calls") is not null, "parallel_tool_calls is no boolean");
        Expect.That(response.At("metadata").ValueKind == JsonValueKind.Object, "the response has no metadata object");
        Expect.That((response.Text("status") == "failed") == (response.At("error").ValueKind == JsonValueKind.Object), "a response has an error exactly when it failed");
        var items = response.List("output");
        Expect.That(items.All(item => item.Text("type") is not null && item.Text("id") is { Length: > 0 }), "an output item has no type or no id");
        Expect.That(items.DistinctBy(item => item.Text("id")).Count() == items.Count, "two output items have one id");
    }

    /// <summary>The end of a response that was made.</summary>
    /// <param name="response">The object.</param>
    /// <param name="model">The model that was asked for.</param>
    /// <param name="isOther">It is in the other dialect than the usual one.</param>
    public static void CheckEnd(JsonElement response, string model, bool isOther)
    {
        Check(response, model, mayLackId: isOther);
        var usage = isOther ? (Input: "prompt_tokens", Output: "completion_tokens") : (Input: "input_tokens", Output: "output_tokens");
        Expect.That(IsMade(response), $"the response ended as {response.Text("status")}");
        Expect.That((response.Text("status") == "incomplete") == (response.Text("incomplete_details", "reason") is not null), "a response has incomplete_details exactly when it is incomplete");
        var (input, output, total) = (response.Number("usage", usage.Input), response.Number("usage", usage.Output), response.Number("usage", "total_tokens"));
        Expect.That(input is not null && output is not null && total == input + output, $"usage has not {usage.Input}, {usage.Output} and their sum");
    }

    /// <summary>The texts of all messages, joined. Dialects that show input messages in the output have them first, with the role user.</summary>
    public static string OutputText(JsonElement response) => string.Concat(
        response.List("output").Where(item => item.Text("type") == "message" && item.Text("role") == "assistant").SelectMany(item => item.List("content")).Select(part => part.Text("text")));

    /// <summary>How it ended, with its tokens, for the table.</summary>
    public static string Tell(JsonElement response)
    {
        var end = response.Text("status") == "incomplete" ? $"incomplete ({response.Text("incomplete_details", "reason")})" : response.Text("status");
        return $"{end}, {response.Number("usage", "input_tokens")} tokens in, {response.Number("usage", "output_tokens")} out";
    }
}
