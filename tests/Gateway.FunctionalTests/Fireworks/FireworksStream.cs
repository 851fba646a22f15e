using System.Text.Json;

namespace Gateway.FunctionalTests.Fireworks;

/// <summary>
/// One event stream in Fireworks' dialect, checked: it ends as every stream does, its events are counted without gaps, and what they tell of an
/// item is what stands at its index in the final output. Server-run calls have no events; they stand in the final output only.
/// </summary>
internal sealed class FireworksStream
{
    private const string End = "data: [DONE]\n\n";

    private FireworksStream(IReadOnlyList<JsonElement> events) => Events = events;

    public IReadOnlyList<JsonElement> Events { get; }

    public IEnumerable<string?> Types => Events.Select(e => e.Text("type"));

    /// <summary>The response object of the terminal event.</summary>
    public JsonElement Final => Events[^1].At("response");

    /// <summary>The concatenated output_text deltas.</summary>
    public string Text => string.Concat(Of("response.output_text.delta").Select(e => e.Text("delta")));

    public IEnumerable<JsonElement> Of(string type) => Events.Where(e => e.Text("type") == type);

    public static FireworksStream Parse(string body)
    {
        Assert.EndsWith(End, body, StringComparison.Ordinal);
        var stream = new FireworksStream([
            .. body[..^End.Length].Split("\n\n", StringSplitOptions.RemoveEmptyEntries)
                .Where(block => block.StartsWith("event: ", StringComparison.Ordinal))
                .Select(block => JsonElement.Parse(block.Split('\n')[1]["data: ".Length..])),
        ]);
        Assert.Equal(Enumerable.Range(0, stream.Events.Count), stream.Events.Select(e => e.Number("sequence_number")));
        Assert.DoesNotContain(stream.Types, type => type!.Contains("mcp", StringComparison.Ordinal));
        foreach (var done in stream.Of("response.output_item.done"))
        {
            Assert.Equal(stream.Final.At($"output[{done.Number("output_index")}]").GetRawText(), done.At("item").GetRawText());
        }

        foreach (var e in stream.Events.Where(e => e.Find("item_id") is not null))
        {
            Assert.Equal(stream.Final.Text($"output[{e.Number("output_index")}].id"), e.Text("item_id"));
        }

        return stream;
    }
}
