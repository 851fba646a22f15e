using System.Text.Json;

namespace Gateway.FunctionalTests.Responses;

/// <summary>
/// One event stream of the gateway, parsed strictly and checked against every invariant of the contract's section 4 (facts 34 and 43 to 52, 56,
/// 60), so that each test that streams checks them all.
/// </summary>
internal sealed class ResponseStream
{
    private static readonly HashSet<string> Terminal = ["response.completed", "response.failed", "response.incomplete"];

    private readonly SortedDictionary<int, StreamItem> _items = [];

    private readonly bool _wasResumed;

    private ResponseStream(IReadOnlyList<JsonElement> events, int comments, bool wasResumed)
    {
        Events = events;
        Comments = comments;
        _wasResumed = wasResumed;
    }

    public IReadOnlyList<JsonElement> Events { get; }

    /// <summary>How many comment lines (keep-alives) it had.</summary>
    public int Comments { get; }

    public IEnumerable<string?> Types => Events.Select(e => e.Text("type"));

    /// <summary>The response object of the terminal event.</summary>
    public JsonElement Final => Events[^1].At("response");

    public string Id => Events[0].Text("response.id")!;

    /// <summary>The concatenated output_text deltas.</summary>
    public string Text => string.Concat(Of("response.output_text.delta").Select(e => e.Text("delta")));

    public IEnumerable<JsonElement> Of(string type) => Events.Where(e => e.Text("type") == type);

    /// <param name="body">The whole stream.</param>
    /// <param name="wasResumed">Another replica went on with the response: what was open then is incomplete, wherever it stands.</param>
    public static ResponseStream Parse(string body, bool wasResumed = false)
    {
        const string end = "data: [DONE]\n\n";
        Assert.EndsWith(end, body, StringComparison.Ordinal);
        var events = new List<JsonElement>();
        var comments = 0;
        foreach (var block in body[..^end.Length].Split("\n\n", StringSplitOptions.RemoveEmptyEntries))
        {
            var lines = block.Split('\n');
            if (lines[0].StartsWith(':'))
            {
                Assert.Single(lines);
                comments++;
                continue;
            }

            Assert.True(lines.Length == 2 && lines[0].StartsWith("event: ", StringComparison.Ordinal) && lines[1].StartsWith("data: {", StringComparison.Ordinal), $"An event is one event line and one data line: {block}");
            var data = JsonElement.Parse(lines[1]["data: ".Length..]);
            Assert.Equal(lines[0]["event: ".Length..], data.Text("type"));
            events.Add(data);
        }

        var stream = new ResponseStream(events, comments, wasResumed);
        stream.Check();
        return stream;
    }

    private void Check()
    {
        Assert.Equal(Enumerable.Range(0, Events.Count), Events.Select(e => e.Number("sequence_number")));
        Assert.Equal("response.created", Events[0].Text("type"));
        Assert.Contains(Events[1].Text("type"), (string[])["response.in_progress", "response.queued"]);
        Assert.Equal(Events.Count - 1, Events.ToList().FindIndex(e => Terminal.Contains(e.Text("type")!)));
        foreach (var e in Events)
        {
            Assert.True(e.Find("error") is not { ValueKind: not JsonValueKind.Null }, $"No event but 'error' has a top-level error: {e.GetRawText()}");
            if (e.Find("response") is { } response)
            {
                CheckSnapshot(e.Text("type")!, response);
            }
            else
            {
                CheckItemEvent(e);
            }
        }

        CheckEnd();
    }

    private void CheckSnapshot(string type, JsonElement response)
    {
        ResponseShape.Assert(response);
        Assert.Equal(Id, response.Text("id"));
        var begins = Events[1].Text("type") == "response.queued" ? "queued" : "in_progress";
        var status = response.Text("status");
        Assert.Equal(type is "response.created" ? begins : type["response.".Length..], status == "cancelled" ? "failed" : status);
        if (!Terminal.Contains(type))
        {
            Assert.Equal(0, response.At("output").GetArrayLength());
            Assert.Equal(JsonValueKind.Null, response.At("usage").ValueKind);
        }

        Assert.Equal(status == "failed", response.At("error").ValueKind == JsonValueKind.Object);
    }

    private void CheckItemEvent(JsonElement e)
    {
        var index = e.Number("output_index");
        if (e.Text("type") == "response.output_item.added")
        {
            Assert.Equal(_items.Count, index);
            Assert.True(_items.Values.All(item => item.IsDone), "Items open, fill and close one after another.");
            _items.Add(index, new StreamItem(e.At("item")));
            return;
        }

        Assert.True(_items.TryGetValue(index, out var item), $"An event before its item was added: {e.GetRawText()}");
        item.Apply(e);
    }

    private void CheckEnd()
    {
        var output = Final.Each("output").ToArray();
        Assert.Equal(_items.Count, output.Length);
        for (var i = 0; i < output.Length; i++)
        {
            Assert.True(_items[i].IsDone || Final.Text("status") is "failed" or "cancelled", $"Item {i} was never done.");
            if (_items[i].IsDone)
            {
                Assert.Equal(_items[i].DoneJson, output[i].GetRawText());
            }

            if (!_wasResumed && output[i].Find("status")?.GetString() == "incomplete")
            {
                Assert.Equal(output.Length - 1, i);
            }
        }
    }
}
