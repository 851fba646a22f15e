using System.Security.Cryptography;
using System.Text;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>Seals reasoning text so that only this gateway, for this tenant, can read it again.</summary>
public delegate string SealReasoning(ReadOnlySpan<byte> utf8);

/// <summary>
/// Writes the events of one response in the contract's order, and keeps the finished items for the final object. Items are opened, filled
/// and closed one after another; indexes, ids and sequence numbers are given here and nowhere else, so that they can not disagree.
/// Each event is rendered to JSON once, in one line.
/// </summary>
public sealed partial class ResponseEventStream : IDisposable
{
    private readonly ResponseEnvelope _envelope;
    private readonly IResponseEventSink _sink;
    private readonly Func<string, int, string> _newItemId;
    private readonly bool _obfuscate;
    private readonly SealReasoning? _sealReasoning;
    private readonly PooledBuffer _json = new(2048);
    private readonly PooledBuffer _deltaHead = new(256);
    private readonly PooledBuffer _text = new();
    private readonly PooledBuffer _logprobs = new();
    private readonly PooledBuffer _parts = new();
    private readonly PooledBuffer _summaryHead = new(256);
    private OpenItem _item;
    private OpenPart _part;
    private byte[] _itemHead = [];
    private int _contentIndex;
    private int _doneIndex;
    private long _sequence;

    /// <param name="envelope">Renders the response object.</param>
    /// <param name="sink">Takes the events.</param>
    /// <param name="newItemId">Makes an item's id from its prefix (<c>msg</c>) and its output index.</param>
    /// <param name="obfuscate">Pad deltas so that their lengths do not tell the tokens.</param>
    /// <param name="sealReasoning">Seals reasoning text into <c>encrypted_content</c>; null when the client did not ask for it.</param>
    public ResponseEventStream(
        ResponseEnvelope envelope, IResponseEventSink sink, Func<string, int, string> newItemId, bool obfuscate, SealReasoning? sealReasoning = null)
    {
        _envelope = envelope;
        _sink = sink;
        _newItemId = newItemId;
        _obfuscate = obfuscate;
        _sealReasoning = sealReasoning;
    }

    private enum OpenItem { None, Message, Reasoning, FunctionCall, CustomToolCall, ToolList, ServerCall }

    private enum OpenPart { None, Text, Refusal, Reasoning }

    /// <summary>The response as it stands; terminal members are set by the caller before <see cref="End"/>.</summary>
    public ResponseState State { get; } = new();

    /// <summary>The first events have been written.</summary>
    public bool HasStarted { get; private set; }

    /// <summary>An item is open.</summary>
    public bool HasOpenItem => _item != OpenItem.None;

    /// <summary>The place of the open or next item among those that the client sees.</summary>
    private int OutputIndex => State.Output.Count + _extraIndexes;

    /// <summary>Writes <c>response.created</c> and <c>response.in_progress</c>, once.</summary>
    public void Start()
    {
        if (!HasStarted)
        {
            HasStarted = true;

            // One that is over before its first item began in progress as well.
            var begun = new ResponseState();
            if (!_startsQueued)
            {
                WriteResponse("response.created"u8, begun);
            }

            WriteResponse("response.in_progress"u8, begun);
        }
    }

    /// <summary>Repeats <c>response.in_progress</c>: a sign of life for clients that count events, not bytes.</summary>
    public void RepeatInProgress()
    {
        Start();
        WriteResponse("response.in_progress"u8, State);
    }

    /// <summary>Writes the terminal event that belongs to the state's status.</summary>
    public void End()
    {
        Start();
        WriteResponse(State.Status switch
        {
            ResponseStatus.Completed => "response.completed"u8,
            ResponseStatus.Incomplete => "response.incomplete"u8,
            _ => "response.failed"u8,
        }, State);
    }

    /// <summary>Text of the answer. Opens a message when none is open.</summary>
    /// <param name="utf8">A piece of text, not empty.</param>
    /// <param name="logprobs">Its tokens' log probabilities as raw JSON objects with commas, in the form of a part; may be empty.</param>
    /// <param name="deltaLogprobs">The same in the form of a delta.</param>
    public void TextDelta(ReadOnlySpan<byte> utf8, ReadOnlySpan<byte> logprobs, ReadOnlySpan<byte> deltaLogprobs)
    {
        OpenMessagePart(OpenPart.Text);
        if (!logprobs.IsEmpty)
        {
            AppendWithComma(_logprobs, logprobs);
        }

        WriteDelta("response.output_text.delta"u8, _deltaHead, utf8, ",\"logprobs\":["u8, deltaLogprobs, "]"u8);
    }

    /// <summary>Text of a refusal. Opens a message when none is open.</summary>
    public void RefusalDelta(ReadOnlySpan<byte> utf8)
    {
        OpenMessagePart(OpenPart.Refusal);
        WriteDelta("response.refusal.delta"u8, _deltaHead, utf8);
    }

    /// <summary>Opens a message with a text part, even if no text follows.</summary>
    public void OpenMessage() => OpenMessagePart(OpenPart.Text);

    /// <summary>Reasoning text. Opens a reasoning item when none is open.</summary>
    /// <param name="utf8">A piece of text, not empty.</param>
    /// <param name="asSummary">Show it as a summary too: the client asked for one, and some show nothing else.</param>
    public void ReasoningDelta(ReadOnlySpan<byte> utf8, bool asSummary)
    {
        if (_item != OpenItem.Reasoning)
        {
            OpenReasoning(asSummary);
        }

        WriteDelta("response.reasoning_text.delta"u8, _deltaHead, utf8);
        if (_summaryHead.Length > 0)
        {
            var accumulated = _text.Length;
            WriteDelta("response.reasoning_summary_text.delta"u8, _summaryHead, utf8);
            _text.Truncate(accumulated);
        }
    }

    /// <summary>Opens a function call. Any open item is closed as completed first.</summary>
    public void OpenFunctionCall(string callId, string name, string? toolNamespace) =>
        OpenCall(OpenItem.FunctionCall, "fc", "function_call"u8, "response.function_call_arguments.delta"u8, callId, name, toolNamespace);

    /// <summary>Opens a call of a custom tool. Any open item is closed as completed first.</summary>
    public void OpenCustomToolCall(string callId, string name, string? toolNamespace) =>
        OpenCall(OpenItem.CustomToolCall, "ctc", "custom_tool_call"u8, "response.custom_tool_call_input.delta"u8, callId, name, toolNamespace);

    /// <summary>A piece of the open call's arguments, or of a custom tool's input.</summary>
    public void CallDelta(ReadOnlySpan<byte> utf8) => WriteDelta(
        _item == OpenItem.FunctionCall ? "response.function_call_arguments.delta"u8 : "response.custom_tool_call_input.delta"u8, _deltaHead, utf8);

    /// <summary>Closes the open item with its <c>done</c> events; nothing when none is open.</summary>
    /// <param name="completed">False when it was cut: its status is incomplete.</param>
    public void CloseItem(bool completed = true)
    {
        if (_item == OpenItem.None)
        {
            return;
        }

        ClosePart(writeEvents: true);
        FinishItem(completed);
        WriteItemDone();
    }

    /// <summary>Keeps the open item as incomplete in the final object without closing it by events: what a failure in the middle shows.</summary>
    public void AbandonItem()
    {
        if (_item != OpenItem.None)
        {
            ClosePart(writeEvents: false);
            if (_item is OpenItem.ToolList or OpenItem.ServerCall)
            {
                _parts.Append(RestOfAbandoned(_item));
                _serverCall = null;
                _isHidden = false;
            }

            FinishItem(completed: false);
        }
    }

    public void Dispose()
    {
        _json.Dispose();
        _deltaHead.Dispose();
        _summaryHead.Dispose();
        _text.Dispose();
        _logprobs.Dispose();
        _parts.Dispose();
    }

    private void WriteItemDone()
    {
        BeginEvent("response.output_item.done"u8);
        _json.Append(",\"output_index\":"u8);
        _json.Append(_doneIndex);
        _json.Append(",\"item\":"u8);
        _json.Append(State.Output[^1].Span);
        EndEvent("response.output_item.done"u8, _doneIndex);
    }

    private void OpenMessagePart(OpenPart part)
    {
        if (_item != OpenItem.Message)
        {
            CloseItem();
            Open(OpenItem.Message, "msg");
            Added(",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}"u8);
        }

        if (_part != part)
        {
            ClosePart(writeEvents: true);
            OpenPartOf(part, part == OpenPart.Text
                ? "{\"type\":\"output_text\",\"text\":\"\",\"annotations\":[],\"logprobs\":[]}"u8
                : "{\"type\":\"refusal\",\"refusal\":\"\"}"u8);
            SetDeltaHead(_deltaHead, part == OpenPart.Text ? "response.output_text.delta"u8 : "response.refusal.delta"u8, "content_index"u8);
        }
    }

    private void OpenReasoning(bool asSummary)
    {
        CloseItem();
        Open(OpenItem.Reasoning, "rs");
        Added(",\"type\":\"reasoning\",\"summary\":[]}"u8);
        OpenPartOf(OpenPart.Reasoning, "{\"type\":\"reasoning_text\",\"text\":\"\"}"u8);
        SetDeltaHead(_deltaHead, "response.reasoning_text.delta"u8, "content_index"u8);
        _summaryHead.Clear();
        if (asSummary)
        {
            BeginPartEvent("response.reasoning_summary_part.added"u8, "summary_index"u8);
            _json.Append(",\"part\":{\"type\":\"summary_text\",\"text\":\"\"}"u8);
            EndEvent("response.reasoning_summary_part.added"u8);
            SetDeltaHead(_summaryHead, "response.reasoning_summary_text.delta"u8, "summary_index"u8);
        }
    }

    private void OpenCall(
        OpenItem kind, string prefix, ReadOnlySpan<byte> type, ReadOnlySpan<byte> deltaType, string callId, string name, string? toolNamespace)
    {
        CloseItem();
        Open(kind, prefix);
        _parts.Append(",\"type\":\""u8);
        _parts.Append(type);
        _parts.Append("\",\"call_id\":"u8);
        _parts.AppendString(callId);
        _parts.Append(",\"name\":"u8);
        _parts.AppendString(name);
        if (toolNamespace is not null)
        {
            _parts.Append(",\"namespace\":"u8);
            _parts.AppendString(toolNamespace);
        }

        using var snapshot = new PooledBuffer(256);
        snapshot.Append(_parts.WrittenSpan);
        snapshot.Append(kind == OpenItem.FunctionCall ? ",\"arguments\":\"\""u8 : ",\"input\":\"\""u8);
        snapshot.Append(",\"status\":\"in_progress\"}"u8);
        Added(snapshot.WrittenSpan);
        SetDeltaHead(_deltaHead, deltaType, default);
    }

    private void Open(OpenItem kind, string prefix)
    {
        Start();
        _item = kind;
        _part = OpenPart.None;
        _contentIndex = 0;
        _parts.Clear();
        _text.Clear();
        _logprobs.Clear();
        _itemHead = Encoding.UTF8.GetBytes(_newItemId(prefix, State.Output.Count));
    }

    /// <summary>Writes <c>output_item.added</c>; <paramref name="rest"/> is the item behind its id.</summary>
    private void Added(ReadOnlySpan<byte> rest)
    {
        BeginEvent("response.output_item.added"u8);
        _json.Append(",\"output_index\":"u8);
        _json.Append(OutputIndex);
        _json.Append(",\"item\":{\"id\":"u8);
        _json.AppendString(_itemHead);
        _json.Append(rest);
        EndEvent("response.output_item.added"u8);
    }

    private void OpenPartOf(OpenPart part, ReadOnlySpan<byte> emptyPart)
    {
        _part = part;
        _text.Clear();
        _logprobs.Clear();
        BeginPartEvent("response.content_part.added"u8, "content_index"u8);
        _json.Append(",\"part\":"u8);
        _json.Append(emptyPart);
        EndEvent("response.content_part.added"u8);
    }

    /// <summary>Ends the open part or call: its <c>done</c> events, and its JSON into the item.</summary>
    private void ClosePart(bool writeEvents)
    {
        if (_item is OpenItem.FunctionCall or OpenItem.CustomToolCall)
        {
            CloseCallText(writeEvents);
            return;
        }

        if (_part == OpenPart.None)
        {
            return;
        }

        using var part = new PooledBuffer(_text.Length + 128);
        if (_part == OpenPart.Text)
        {
            part.Append("{\"type\":\"output_text\",\"text\":\""u8);
            part.Append(_text.WrittenSpan);
            part.Append("\",\"annotations\":[],\"logprobs\":["u8);
            part.Append(_logprobs.WrittenSpan);
            part.Append("]}"u8);
        }
        else
        {
            part.Append(_part == OpenPart.Refusal ? "{\"type\":\"refusal\",\"refusal\":\""u8 : "{\"type\":\"reasoning_text\",\"text\":\""u8);
            part.Append(_text.WrittenSpan);
            part.Append("\"}"u8);
        }

        if (writeEvents)
        {
            WriteTextDone();
            BeginPartEvent("response.content_part.done"u8, "content_index"u8);
            _json.Append(",\"part\":"u8);
            _json.Append(part.WrittenSpan);
            EndEvent("response.content_part.done"u8);
            if (_part == OpenPart.Reasoning && _summaryHead.Length > 0)
            {
                WriteSummaryDone();
            }
        }

        AppendWithComma(_parts, part.WrittenSpan);
        _part = OpenPart.None;
        _contentIndex++;
    }

    private void WriteTextDone()
    {
        switch (_part)
        {
            case OpenPart.Text:
                WriteDone("response.output_text.done"u8, "content_index"u8, ",\"text\":\""u8, logprobs: true);
                break;
            case OpenPart.Refusal:
                WriteDone("response.refusal.done"u8, "content_index"u8, ",\"refusal\":\""u8, logprobs: false);
                break;
            default:
                WriteDone("response.reasoning_text.done"u8, "content_index"u8, ",\"text\":\""u8, logprobs: false);
                break;
        }
    }

    private void WriteDone(ReadOnlySpan<byte> type, ReadOnlySpan<byte> indexName, ReadOnlySpan<byte> member, bool logprobs)
    {
        BeginPartEvent(type, indexName);
        _json.Append(member);
        _json.Append(_text.WrittenSpan);
        _json.Append((byte)'"');
        if (logprobs)
        {
            _json.Append(",\"logprobs\":["u8);
            _json.Append(_logprobs.WrittenSpan);
            _json.Append((byte)']');
        }

        EndEvent(type);
    }

    private void WriteSummaryDone()
    {
        WriteDone("response.reasoning_summary_text.done"u8, "summary_index"u8, ",\"text\":\""u8, logprobs: false);
        BeginPartEvent("response.reasoning_summary_part.done"u8, "summary_index"u8);
        _json.Append(",\"part\":{\"type\":\"summary_text\",\"text\":\""u8);
        _json.Append(_text.WrittenSpan);
        _json.Append("\"}"u8);
        EndEvent("response.reasoning_summary_part.done"u8);
    }

    private void CloseCallText(bool writeEvents)
    {
        var isFunction = _item == OpenItem.FunctionCall;
        if (writeEvents)
        {
            var type = isFunction ? "response.function_call_arguments.done"u8 : "response.custom_tool_call_input.done"u8;
            BeginItemEvent(type);
            _json.Append(isFunction ? ",\"arguments\":\""u8 : ",\"input\":\""u8);
            _json.Append(_text.WrittenSpan);
            _json.Append((byte)'"');
            EndEvent(type);
        }

        _parts.Append(isFunction ? ",\"arguments\":\""u8 : ",\"input\":\""u8);
        _parts.Append(_text.WrittenSpan);
        _parts.Append((byte)'"');
    }

    private void FinishItem(bool completed)
    {
        using var item = new PooledBuffer(_parts.Length + 256);
        item.Append("{\"id\":"u8);
        item.AppendString(_itemHead);
        var status = completed ? "completed"u8 : "incomplete"u8;
        switch (_item)
        {
            case OpenItem.Message:
                item.Append(",\"type\":\"message\",\"status\":\""u8);
                item.Append(status);
                item.Append("\",\"role\":\"assistant\",\"content\":["u8);
                item.Append(_parts.WrittenSpan);
                item.Append("]}"u8);
                break;
            case OpenItem.Reasoning:
                FinishReasoning(item, completed);
                break;
            case OpenItem.ToolList or OpenItem.ServerCall:
                item.Append(_parts.WrittenSpan);
                item.Append((byte)'}');
                break;
            default:
                item.Append(_parts.WrittenSpan);
                item.Append(",\"status\":\""u8);
                item.Append(status);
                item.Append("\"}"u8);
                break;
        }

        _doneIndex = OutputIndex;

        // What was told as done is what it is, whatever came of it now.
        var told = _isHidden ? default : _told?.DoneAt(_doneIndex) ?? default;
        State.Output.Add(told.IsEmpty ? item.WrittenSpan.ToArray() : told);
        _extraIndexes += _item is OpenItem.ToolList or OpenItem.ServerCall ? _envelope.Dialect.CountShown(State.Output[^1]) - 1 : 0;
        _item = OpenItem.None;
        _summaryHead.Clear();
    }

    private void FinishReasoning(PooledBuffer item, bool completed)
    {
        item.Append(",\"type\":\"reasoning\",\"summary\":["u8);
        if (_summaryHead.Length > 0)
        {
            item.Append("{\"type\":\"summary_text\",\"text\":\""u8);
            item.Append(_text.WrittenSpan);
            item.Append("\"}"u8);
        }

        item.Append("],\"content\":["u8);
        item.Append(_parts.WrittenSpan);
        item.Append((byte)']');
        if (_sealReasoning is not null)
        {
            using var quoted = new PooledBuffer(_text.Length + 2);
            quoted.Append((byte)'"');
            quoted.Append(_text.WrittenSpan);
            quoted.Append((byte)'"');
            using var scratch = new PooledBuffer();
            item.Append(",\"encrypted_content\":"u8);
            item.AppendString(_sealReasoning(JsonText.Unescape(quoted.WrittenSpan, scratch)));
        }

        item.Append(completed ? "}"u8 : ",\"status\":\"incomplete\"}"u8);
    }

    /// <summary>The bytes that every delta of the open part begins with, up to its text.</summary>
    private void SetDeltaHead(PooledBuffer head, ReadOnlySpan<byte> type, ReadOnlySpan<byte> indexName)
    {
        head.Clear();
        head.Append("{\"type\":\""u8);
        head.Append(type);
        head.Append("\",\"item_id\":"u8);
        head.AppendString(_itemHead);
        head.Append(",\"output_index\":"u8);
        head.Append(OutputIndex);
        if (!indexName.IsEmpty)
        {
            head.Append(",\""u8);
            head.Append(indexName);
            head.Append("\":"u8);
            head.Append(IndexOf(indexName));
        }

        head.Append(",\"delta\":\""u8);
    }

    /// <summary>Reasoning items have one summary part, so its index is always 0.</summary>
    private int IndexOf(ReadOnlySpan<byte> indexName) => indexName.SequenceEqual("summary_index"u8) ? 0 : _contentIndex;

    private void WriteDelta(
        ReadOnlySpan<byte> type, PooledBuffer head, ReadOnlySpan<byte> utf8,
        ReadOnlySpan<byte> extraOpen = default, ReadOnlySpan<byte> extra = default, ReadOnlySpan<byte> extraClose = default)
    {
        if (!_sink.WantsEvents)
        {
            _text.AppendEscaped(utf8);
            return;
        }

        _json.Clear();
        _json.Append(head.WrittenSpan);
        var start = _json.Length;
        _json.AppendEscaped(utf8);
        _text.Append(_json.WrittenSpan[start..]);
        _json.Append((byte)'"');
        _json.Append(extraOpen);
        _json.Append(extra);
        _json.Append(extraClose);
        if (_obfuscate)
        {
            AppendObfuscation(_json.Length - start);
        }

        EndEvent(type);
    }

    /// <summary>Pads the payload to a multiple of 32 bytes, at least one character.</summary>
    private void AppendObfuscation(int payload)
    {
        const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        _json.Append(",\"obfuscation\":"u8);
        _json.AppendString(RandomNumberGenerator.GetString(Alphabet, 32 - (payload % 32)));
    }

    private void WriteResponse(ReadOnlySpan<byte> type, ResponseState state)
    {
        BeginEvent(type);
        if (_sink.WantsEvents)
        {
            _json.Append(",\"response\":"u8);
            _envelope.Write(state, _json);
        }

        if (_told?.TakeOfResponse(type) != true)
        {
            FinishEvent(type);
        }
    }

    private void BeginEvent(ReadOnlySpan<byte> type)
    {
        _json.Clear();
        _json.Append("{\"type\":\""u8);
        _json.Append(type);
        _json.Append((byte)'"');
    }

    private void BeginItemEvent(ReadOnlySpan<byte> type)
    {
        BeginEvent(type);
        _json.Append(",\"item_id\":"u8);
        _json.AppendString(_itemHead);
        _json.Append(",\"output_index\":"u8);
        _json.Append(OutputIndex);
    }

    private void BeginPartEvent(ReadOnlySpan<byte> type, ReadOnlySpan<byte> indexName)
    {
        BeginItemEvent(type);
        _json.Append(",\""u8);
        _json.Append(indexName);
        _json.Append("\":"u8);
        _json.Append(IndexOf(indexName));
    }

    private void EndEvent(ReadOnlySpan<byte> type) => EndEvent(type, OutputIndex);

    private void EndEvent(ReadOnlySpan<byte> type, int outputIndex)
    {
        if (_sink.WantsEvents && !_isHidden && _told?.TakeOfItem(type, outputIndex) != true)
        {
            FinishEvent(type);
        }
    }

    /// <summary>The sequence number stands last, so that what comes before can be the same bytes from delta to delta.</summary>
    private void FinishEvent(ReadOnlySpan<byte> type)
    {
        if (!_sink.WantsEvents)
        {
            return;
        }

        _json.Append(",\"sequence_number\":"u8);
        _json.Append(_sequence++);
        _json.Append((byte)'}');
        _sink.Write(type, _json.WrittenSpan);
    }

    private static void AppendWithComma(PooledBuffer buffer, ReadOnlySpan<byte> json)
    {
        if (buffer.Length > 0)
        {
            buffer.Append((byte)',');
        }

        buffer.Append(json);
    }
}
