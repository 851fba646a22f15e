using System.Text;
using System.Text.Json;

namespace Gateway.Check;

/// <summary>Holds a stream to the contract, event by event: order, numbers, items, text, one terminal event, usage, <c>[DONE]</c>.</summary>
internal sealed class StreamRules(string model)
{
    private readonly List<string?> _items = [];
    private readonly StringBuilder _item = new();
    private readonly StringBuilder _part = new();
    private JsonElement _open;
    private JsonElement _final;
    private string? _id;
    private int _count;
    private bool _isDone;

    /// <summary>Events so far.</summary>
    public int Count => _count;

    private bool HasEnded => _final.ValueKind != JsonValueKind.Undefined;

    public void Take(ReadOnlySpan<byte> data)
    {
        Expect.That(!_isDone, "the stream goes on behind [DONE]");
        if (data.SequenceEqual("[DONE]"u8))
        {
            Expect.That(HasEnded, "[DONE] comes without a terminal event");
            _isDone = true;
            return;
        }

        var e = JsonReading.Parse(data);
        var type = e.Text("type") ?? "";
        Expect.That(type.StartsWith("response.", StringComparison.Ordinal), $"event {_count} has no type of the API's");
        Expect.That(e.Number("sequence_number") == _count, $"event {_count} ({type}) has sequence_number {e.Number("sequence_number")?.ToString() ?? "null"}");
        Expect.That(!HasEnded, $"{type} comes behind the terminal event");
        Expect.That(_count != 0 || type == "response.created", $"the first event is {type}");
        Expect.That(_count != 1 || type is "response.in_progress" or "response.queued", $"the second event is {type}");
        if (e.At("response").ValueKind == JsonValueKind.Object)
        {
            TakeSnapshot(type, e.At("response"));
        }
        else
        {
            TakeItemEvent(type, e);
        }

        _count++;
    }

    /// <summary>The stream has ended: gives the response as its terminal event has it.</summary>
    public JsonElement End()
    {
        Expect.That(HasEnded, $"the stream ends behind {_count} events without a terminal event");
        Expect.That(_isDone, "the stream ends without [DONE]");
        return _final;
    }

    private void TakeSnapshot(string type, JsonElement response)
    {
        ResponseRules.Check(response, model);
        _id ??= response.Text("id");
        Expect.That(response.Text("id") == _id, $"{type} has another response's id");
        if (type is not ("response.completed" or "response.incomplete" or "response.failed"))
        {
            return;
        }

        Expect.That(type == $"response.{response.Text("status")}", $"{type} has a response that is {response.Text("status")}");
        if (type != "response.failed")
        {
            Expect.That(_open.ValueKind == JsonValueKind.Undefined, $"{type} comes before the last item is done");
            Expect.That(response.List("output").Select(item => item.Text("id")).SequenceEqual(_items), $"{type} has other items than the events told");
        }

        _final = response;
    }

    private void TakeItemEvent(string type, JsonElement e)
    {
        if (type == "response.output_item.added")
        {
            Expect.That(_open.ValueKind == JsonValueKind.Undefined, "an item is added before the last one is done");
            Expect.That(e.Number("output_index") == _items.Count, $"output_index {e.Number("output_index")?.ToString() ?? "null"} is added behind {_items.Count} items");
            _open = e.At("item");
            _items.Add(_open.Text("id"));
            _item.Clear();
            _part.Clear();
            return;
        }

        Expect.That(_open.ValueKind == JsonValueKind.Object && e.Number("output_index") == _items.Count - 1, $"{type} is of no open item");
        Expect.That((e.Text("item_id") ?? e.Text("item", "id")) == _items[^1], $"{type} has another item's id");
        switch (type)
        {
            case "response.output_text.delta" or "response.function_call_arguments.delta":
                _item.Append(e.Text("delta"));
                _part.Append(e.Text("delta"));
                break;
            case "response.output_text.done" or "response.function_call_arguments.done":
                Expect.That((e.Text("text") ?? e.Text("arguments")) == _part.ToString(), $"the deltas before {type} do not add up to its text");
                _part.Clear();
                break;
            case "response.output_item.done":
                CheckItem(e.At("item"));
                _open = default;
                break;
        }
    }

    private void CheckItem(JsonElement item)
    {
        Expect.That(item.Text("type") == _open.Text("type"), "an item is done with another type than it was added with");
        var told = item.Text("type") switch
        {
            "message" => string.Concat(item.List("content").Select(part => part.Text("text"))),
            "function_call" => item.Text("arguments"),
            _ => null,
        };
        Expect.That(told is null || told == _item.ToString(), $"the deltas of a {item.Text("type")} do not add up to the item");
    }
}
