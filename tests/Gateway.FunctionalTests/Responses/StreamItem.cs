using System.Text;
using System.Text.Json;

namespace Gateway.FunctionalTests.Responses;

/// <summary>One output item as its events build it: added, then deltas, then done, all telling the same.</summary>
internal sealed class StreamItem
{
    private readonly string _id;
    private readonly JsonElement _added;
    private readonly Dictionary<string, StringBuilder> _texts = [];
    private readonly HashSet<string> _openParts = [];
    private readonly HashSet<string> _doneTexts = [];
    private readonly List<string> _phases = [];

    public StreamItem(JsonElement added)
    {
        ResponseShape.AssertItem(added);
        _added = added;
        _id = added.Text("id")!;
        var empty = added.Text("type") switch
        {
            "message" => "content",
            "reasoning" => "summary",
            "function_call" or "mcp_call" => "arguments",
            "custom_tool_call" => "input",
            "mcp_list_tools" => "tools",
            _ => null,
        };
        if (empty is null)
        {
            // Asked of the user at once, or a hosted tool, whose text has no member to be empty.
            return;
        }

        Assert.True(added.At(empty) is { ValueKind: JsonValueKind.Array } list ? list.GetArrayLength() == 0 : added.Text(empty)!.Length == 0, $"An added item is empty: {added.GetRawText()}");
        if (empty == "content")
        {
            Assert.Equal("in_progress", added.Text("status"));
        }
    }

    public bool IsDone => DoneJson is not null;

    /// <summary>The item of its <c>done</c> event, byte for byte.</summary>
    public string? DoneJson { get; private set; }

    public void Apply(JsonElement e)
    {
        Assert.False(IsDone, $"An event after its item was done: {e.GetRawText()}");
        var type = e.Text("type")!;
        if (type == "response.output_item.done")
        {
            Finish(e.At("item"));
            return;
        }

        Assert.Equal(_id, e.Text("item_id"));
        var place = e.Find("content_index") is { } content ? $"content[{content}]" : e.Find("summary_index") is { } summary ? $"summary[{summary}]" : "";
        switch (type)
        {
            case "response.content_part.added" or "response.reasoning_summary_part.added":
                Assert.True(_openParts.Add(place), "A part is added once.");
                _texts[place] = new StringBuilder();
                break;
            case "response.content_part.done" or "response.reasoning_summary_part.done":
                Assert.Contains(place, _doneTexts);
                Assert.Equal(_texts[place].ToString(), PartText(e.At("part")));
                break;
            case "response.output_text.delta" or "response.refusal.delta" or "response.reasoning_text.delta" or "response.reasoning_summary_text.delta":
                Assert.Contains(place, _openParts);
                AppendDelta(place, e);
                break;
            case "response.output_text.done" or "response.reasoning_text.done" or "response.reasoning_summary_text.done":
                FinishText(place, e.Text("text"));
                break;
            case "response.refusal.done":
                FinishText(place, e.Text("refusal"));
                break;
            case "response.function_call_arguments.delta" or "response.custom_tool_call_input.delta":
                AppendDelta(place, e);
                break;
            case "response.function_call_arguments.done":
                FinishText(place, e.Text("arguments"));
                break;
            case "response.custom_tool_call_input.done":
                FinishText(place, e.Text("input"));
                break;
            case "response.mcp_call_arguments.delta" or "response.code_interpreter_call_code.delta":
                AppendDelta(place, e);
                break;
            case "response.mcp_call_arguments.done":
                FinishText(place, e.Text("arguments"));
                break;
            case "response.code_interpreter_call_code.done":
                FinishText(place, e.Text("code"));
                break;
            case var phase when phase.StartsWith($"response.{_added.Text("type")}.", StringComparison.Ordinal):
                _phases.Add(phase[(phase.LastIndexOf('.') + 1)..]);
                break;
            default:
                throw new Xunit.Sdk.XunitException($"Clients do not know the event type '{type}'.");
        }
    }

    private static string? PartText(JsonElement part) => part.Text("type") == "refusal" ? part.Text("refusal") : part.Text("text");

    private void AppendDelta(string place, JsonElement e)
    {
        Assert.DoesNotContain(place, _doneTexts);
        if (e.Text("type") == "response.output_text.delta")
        {
            Assert.Equal(JsonValueKind.Array, e.At("logprobs").ValueKind);
        }

        if (!_texts.TryGetValue(place, out var text))
        {
            _texts[place] = text = new StringBuilder();
        }

        text.Append(e.Text("delta"));
    }

    private void FinishText(string place, string? text)
    {
        Assert.True(_texts.TryGetValue(place, out var deltas), "At least one delta, or an added part, comes before a done text.");
        Assert.Equal(deltas.ToString(), text);
        Assert.True(_doneTexts.Add(place), "A text is done once.");
    }

    private void Finish(JsonElement done)
    {
        ResponseShape.AssertItem(done);
        foreach (var member in (string[])["id", "type", "call_id", "name", "namespace"])
        {
            Assert.Equal(_added.Find(member)?.GetString(), done.Find(member)?.GetString());
        }

        foreach (var (place, text) in _texts)
        {
            Assert.Contains(place, _doneTexts);
            Assert.Equal(text.ToString(), place.Length > 0 ? PartText(done.At(place)) : (done.Find("arguments") ?? done.Find("code") ?? done.At("input")).GetString());
        }

        var type = done.Text("type");
        var failed = done.Find("error") is not null || done.Find("status")?.GetString() is "failed";
        var ended = failed ? (type!.StartsWith("mcp_", StringComparison.Ordinal) ? ["failed"] : (string[])[]) : ["completed"];
        Assert.Equal(
            type switch
            {
                "mcp_call" when done.Text("status") == "incomplete" => ["in_progress"],
                "mcp_list_tools" or "mcp_call" => ["in_progress", .. ended],
                "web_search_call" or "file_search_call" => ["in_progress", "searching", .. ended],
                "code_interpreter_call" => ["in_progress", "interpreting", .. ended],
                "image_generation_call" => ["in_progress", "generating", .. ended],
                _ => [],
            },
            _phases);

        foreach (var list in (string[])["content", "summary"])
        {
            Assert.Equal(_openParts.Count(part => part.StartsWith(list, StringComparison.Ordinal)), done.Find(list)?.GetArrayLength() ?? 0);
        }

        DoneJson = done.GetRawText();
    }
}
