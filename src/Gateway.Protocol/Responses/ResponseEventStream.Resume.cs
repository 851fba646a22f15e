namespace Gateway.Protocol.Responses;

/// <summary>Going on with a response that another replica began: what was told is not told again, and what was begun is ended.</summary>
public sealed partial class ResponseEventStream
{
    private ToldEvents? _told;
    private bool _startsQueued;
    private bool _isApproval;
    private int _toldSummary;

    /// <summary>Writes <c>response.created</c> and <c>response.queued</c>: the response waits for its turn.</summary>
    public void Queue()
    {
        _startsQueued = true;
        var queued = new ResponseState { Status = ResponseStatus.Queued };
        WriteResponse("response.created"u8, queued);
        WriteResponse("response.queued"u8, queued);
    }

    /// <summary>Goes on behind events that were told already. Called before anything else; the same calls as before are to follow.</summary>
    /// <param name="told">The events so far.</param>
    /// <param name="isQueued">They begin with those of <see cref="Queue"/>.</param>
    public void Resume(ToldEvents told, bool isQueued)
    {
        ArgumentNullException.ThrowIfNull(told);
        _told = told;
        _sequence = told.Count;
        if (isQueued)
        {
            Queue();
        }
    }

    /// <summary>Writes the terminal event in the place of the one that was written last and reached nobody.</summary>
    public void EndAgain()
    {
        _sequence--;
        End();
    }

    /// <summary>Takes over finished items whose events were told when they were made.</summary>
    public void Restore(IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        Start();
        State.Output.AddRange(items);
    }

    /// <summary>
    /// Takes over what was told of a round that will be made anew: its finished items as they are, and the open one closed as incomplete, with
    /// the events that are missing. Nothing happens when nothing was told of it.
    /// </summary>
    public void RestoreTold()
    {
        if (_told is not { } told)
        {
            return;
        }

        while (told.DoneAt(OutputIndex) is { IsEmpty: false } item)
        {
            Restore([item]);
        }

        if (told.IsOpenAt(OutputIndex))
        {
            // A copy: writing the same events again uses them up.
            foreach (var (type, json) in told.Open.ToArray())
            {
                Replay(type, json);
            }

            CloseTold();
        }
    }

    /// <summary>Closes a replayed item as incomplete.</summary>
    private void CloseTold()
    {
        if (_item is not (OpenItem.ToolList or OpenItem.ServerCall))
        {
            TellRestOfSummary();
            if (_item is OpenItem.FunctionCall or OpenItem.CustomToolCall && _text.Length == 0)
            {
                // Clients want a delta before the whole, whatever came.
                CallDelta([]);
            }

            CloseItem(completed: false);
            return;
        }

        if (!_isApproval)
        {
            if (_serverCall?.TextHead is { } head && _text.Length == 0)
            {
                _parts.Append(head);
                _parts.Append((byte)'"');
            }

            _parts.Append(RestOfAbandoned(_item));
        }

        _isApproval = false;
        CloseServerItem();
    }

    /// <summary>A piece of reasoning is told twice, as text and as summary: both must have been told all of it when they are done.</summary>
    private void TellRestOfSummary()
    {
        if (_part == OpenPart.Reasoning && _summaryHead.Length > 0 && _text.Length > _toldSummary)
        {
            _json.Clear();
            _json.Append(_summaryHead.WrittenSpan);
            _json.Append(_text.WrittenSpan[_toldSummary..]);
            _json.Append((byte)'"');
            if (_obfuscate)
            {
                AppendObfuscation(_text.Length - _toldSummary + 1);
            }

            FinishEvent("response.reasoning_summary_text.delta"u8);
        }
    }

    /// <summary>Brings the stream into the state it had behind an event of the open item.</summary>
    private void Replay(string type, ReadOnlyMemory<byte> json)
    {
        switch (type)
        {
            case "response.output_item.added":
                ReplayAdded(JsonView.Member(json, "item"u8));
                break;
            case "response.content_part.added":
                ReplayPart(JsonView.Member(json, "part"u8));
                break;
            case "response.content_part.done":
                ClosePart(writeEvents: true);
                break;
            case "response.reasoning_summary_part.added":
                SetDeltaHead(_summaryHead, "response.reasoning_summary_text.delta"u8, "summary_index"u8);
                _toldSummary = 0;
                break;
            case "response.reasoning_summary_text.delta":
                _toldSummary += JsonView.Inner(JsonView.Member(json, "delta"u8)).Length;
                break;
            case "response.mcp_call_arguments.delta" or "response.code_interpreter_call_code.delta":
                ReplayServerText(_serverCall!, JsonView.Inner(JsonView.Member(json, "delta"u8)).Span);
                break;
            case "response.output_text.done":
                var logprobs = JsonView.Member(json, "logprobs"u8);
                _logprobs.Append(JsonView.IsArray(logprobs) ? logprobs.Span[1..^1] : []);
                break;
            case "response.output_text.delta" or "response.refusal.delta" or "response.reasoning_text.delta"
                or "response.function_call_arguments.delta" or "response.custom_tool_call_input.delta":
                _text.Append(JsonView.Inner(JsonView.Member(json, "delta"u8)).Span);
                break;
        }
    }

    private void ReplayAdded(ReadOnlyMemory<byte> item)
    {
        var type = JsonView.Text(JsonView.Member(item, "type"u8));
        if (type is "function_call" or "custom_tool_call")
        {
            var (callId, name, ns) = (Text(item, "call_id"u8) ?? string.Empty, Text(item, "name"u8) ?? string.Empty, Text(item, "namespace"u8));
            if (type == "function_call")
            {
                OpenFunctionCall(callId, name, ns);
            }
            else
            {
                OpenCustomToolCall(callId, name, ns);
            }
        }
        else if (type == "reasoning")
        {
            Open(OpenItem.Reasoning, "rs");
            Added(",\"type\":\"reasoning\",\"summary\":[]}"u8);
        }
        else if (type == "message")
        {
            Open(OpenItem.Message, "msg");
            Added(",\"type\":\"message\",\"status\":\"in_progress\",\"role\":\"assistant\",\"content\":[]}"u8);
        }
        else
        {
            ReplayServerItem(item);
        }
    }

    /// <summary>What the gateway ran itself: nobody runs it again here, so it is only to be closed.</summary>
    private void ReplayServerItem(ReadOnlyMemory<byte> item)
    {
        var kind = ItemTable.View(item).Kind;
        _serverCall = ServerCallRow.Find(kind);
        _isApproval = kind == ItemKind.McpApprovalRequest;
        Open(_serverCall is null ? OpenItem.ToolList : OpenItem.ServerCall, ItemTable.IdPrefix(kind));
        foreach (var member in JsonView.Members(item))
        {
            if (!(member.Is("id"u8) || member.Is("tools"u8) || member.Is("status"u8)
                || (_serverCall?.TextMember is { } text && member.Is(System.Text.Encoding.ASCII.GetBytes(text)))))
            {
                _parts.Append(",\""u8);
                _parts.Append(member.Name);
                _parts.Append("\":"u8);
                _parts.Append(member.Value.Span);
            }
        }

        Added(_parts.WrittenSpan);
    }

    private void ReplayServerText(ServerCallRow row, ReadOnlySpan<byte> escaped)
    {
        _text.Append(escaped);
        WriteServerText(row, escaped);
        _parts.Append(row.TextHead);
        _parts.Append(escaped);
        _parts.Append((byte)'"');
    }

    private void ReplayPart(ReadOnlyMemory<byte> part) => OpenPartOf(
        Text(part, "type"u8) switch
        {
            "refusal" => OpenPart.Refusal,
            "reasoning_text" => OpenPart.Reasoning,
            _ => OpenPart.Text,
        },
        part.Span);

    private static string? Text(ReadOnlyMemory<byte> json, ReadOnlySpan<byte> name) => JsonView.Text(JsonView.Member(json, name));
}
