using System.Text.Json;

namespace Gateway.FunctionalTests.Responses;

/// <summary>What holds for every response object of the openai dialect (contract, sections 3.1 and 3.2; facts 34 to 41).</summary>
internal static class ResponseShape
{
    private static readonly string[] Keys =
    [
        "id", "object", "created_at", "completed_at", "status", "background", "error", "incomplete_details", "instructions", "max_output_tokens",
        "max_tool_calls", "model", "output", "parallel_tool_calls", "previous_response_id", "reasoning", "safety_identifier", "prompt_cache_key",
        "service_tier", "store", "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs", "text", "tool_choice", "tools",
        "truncation", "usage", "user", "metadata", "conversation",
    ];

    private static readonly string[] Numbers = ["created_at", "temperature", "top_p", "presence_penalty", "frequency_penalty", "top_logprobs"];
    private static readonly string[] Booleans = ["background", "parallel_tool_calls", "store"];
    private static readonly string[] Arrays = ["output", "tools"];
    private static readonly string[] Objects = ["text", "metadata", "reasoning"];

    /// <summary>Any snapshot: every key, each with its JSON type.</summary>
    public static void Assert(JsonElement response)
    {
        foreach (var key in Keys)
        {
            Xunit.Assert.True(response.Find(key) is not null, $"'{key}' is missing in {response.GetRawText()}");
        }

        AssertKinds(response, Numbers, JsonValueKind.Number);
        AssertKinds(response, Booleans, JsonValueKind.True, JsonValueKind.False);
        AssertKinds(response, Arrays, JsonValueKind.Array);
        AssertKinds(response, Objects, JsonValueKind.Object);
        Xunit.Assert.Equal("response", response.Text("object"));
        Xunit.Assert.StartsWith("resp_", response.Text("id"), StringComparison.Ordinal);
        Xunit.Assert.True(response.At("created_at").TryGetInt64(out _));
        Xunit.Assert.True(response.At("completed_at") is var completed && (completed.ValueKind == JsonValueKind.Null || completed.TryGetInt64(out _)));
        Xunit.Assert.True(response.At("top_logprobs").TryGetInt32(out _));
        Xunit.Assert.Equal(JsonValueKind.String, response.At("service_tier").ValueKind);
        Xunit.Assert.Equal(JsonValueKind.Object, response.At("text.format").ValueKind);
        AssertOutput(response);
    }

    /// <summary>The final object of a response that did not fail: as above, with usage.</summary>
    public static void AssertFinal(JsonElement response)
    {
        Assert(response);
        Xunit.Assert.Contains(response.Text("status"), (string[])["completed", "incomplete"]);
        foreach (var key in (string[])["input_tokens", "input_tokens_details.cached_tokens", "output_tokens", "output_tokens_details.reasoning_tokens", "total_tokens"])
        {
            Xunit.Assert.True(response.At("usage." + key).TryGetInt32(out _));
        }
    }

    public static void AssertItem(JsonElement item)
    {
        foreach (var member in item.EnumerateObject())
        {
            Xunit.Assert.True(
                member.Value.ValueKind != JsonValueKind.Null || (item.Text("type"), member.Name) is ("mcp_call", "output") or ("file_search_call", "results") or ("code_interpreter_call", "outputs")
                    or ("image_generation_call", "result"),
                $"Item optionals are omitted, not null: {item.GetRawText()}");
        }

        var prefix = item.Text("type") switch
        {
            "message" => "msg_",
            "reasoning" => "rs_",
            "function_call" => "fc_",
            "custom_tool_call" => "ctc_",
            "mcp_list_tools" => "mcpl_",
            "mcp_call" => "mcp_",
            "mcp_approval_request" => "mcpr_",
            "web_search_call" => "ws_",
            "file_search_call" => "fs_",
            "code_interpreter_call" => "ci_",
            "image_generation_call" => "ig_",
            var other => throw new Xunit.Sdk.XunitException($"An output item of type '{other}' is not expected: {item.GetRawText()}"),
        };
        Xunit.Assert.StartsWith(prefix, item.Text("id"), StringComparison.Ordinal);
        Xunit.Assert.InRange(item.Text("id")!.Length, 5, 64);
    }

    private static void AssertOutput(JsonElement response)
    {
        var callIds = new HashSet<string>();
        foreach (var item in response.Each("output"))
        {
            AssertItem(item);
            switch (item.Text("type"))
            {
                case "message":
                    Xunit.Assert.Equal("assistant", item.Text("role"));
                    Xunit.Assert.NotNull(item.Text("status"));
                    foreach (var part in item.Each("content").Where(part => part.Text("type") == "output_text"))
                    {
                        Xunit.Assert.Equal(JsonValueKind.Array, part.At("annotations").ValueKind);
                        Xunit.Assert.Equal(JsonValueKind.Array, part.At("logprobs").ValueKind);
                    }

                    break;
                case "reasoning":
                    Xunit.Assert.Equal(JsonValueKind.Array, item.At("summary").ValueKind);
                    break;
                case "mcp_list_tools":
                    Xunit.Assert.NotEmpty(item.Text("server_label")!);
                    Xunit.Assert.All(item.Each("tools"), tool => Xunit.Assert.Equal((true, JsonValueKind.Object), (tool.Text("name")!.Length > 0, tool.At("input_schema").ValueKind)));
                    break;
                case "mcp_call" or "mcp_approval_request":
                    Xunit.Assert.NotEmpty(item.Text("server_label")!);
                    Xunit.Assert.NotEmpty(item.Text("name")!);
                    Xunit.Assert.NotNull(item.Text("arguments"));
                    break;
                case "web_search_call" or "file_search_call" or "code_interpreter_call" or "image_generation_call":
                    Xunit.Assert.NotNull(item.Text("status"));
                    break;
                default:
                    Xunit.Assert.NotEmpty(item.Text("call_id")!);
                    Xunit.Assert.True(callIds.Add(item.Text("call_id")!), "call_ids are unique in a response");
                    Xunit.Assert.NotEmpty(item.Text("name")!);
                    break;
            }
        }
    }

    private static void AssertKinds(JsonElement response, string[] keys, params JsonValueKind[] kinds)
    {
        foreach (var key in keys)
        {
            Xunit.Assert.True(kinds.Contains(response.At(key).ValueKind), $"'{key}' is {response.At(key).ValueKind}");
        }
    }
}
