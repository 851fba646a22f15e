using System.Text;
using System.Text.Json;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Puts the tool calls of one round together from pieces in any of the shapes that servers send, and writes them as items one after another.
/// A call is opened when its name is known and an argument arrived; a further call is opened when the one before is whole. The first call that
/// the gateway runs, and every call behind it, gets no item here: the item comes when it runs, so that items stay in the order of the calls.
/// </summary>
internal sealed class CallTranslator : IDisposable
{
    private readonly RoundContext _context;
    private readonly ResponseEventStream _events;
    private readonly List<CallBuffer> _calls = [];
    private readonly List<RoundCall> _made = [];
    private readonly PooledBuffer _scratch = new();
    private CallBuffer? _open;
    private Tool? _openTool;
    private bool _defers;
    private int _chunk;

    public CallTranslator(RoundContext context, ResponseEventStream events)
    {
        _context = context;
        _events = events;
    }

    /// <summary>The calls that were written, in order.</summary>
    public IReadOnlyList<RoundCall> Made => _made;

    /// <summary>A call began to arrive.</summary>
    public bool HasAny => _calls.Count > 0;

    /// <summary>A call came for which there was no room: it is not among the others.</summary>
    public bool IsOverLimit { get; private set; }

    /// <summary>Bytes of arguments that arrived.</summary>
    public long ArgumentBytes { get; private set; }

    /// <summary>A call's item is open and its arguments may still grow.</summary>
    public bool IsOpenCallUnfinished => _open is { HasWholeArguments: false };

    /// <summary>Takes the calls of one chunk.</summary>
    /// <param name="toolCalls">Raw JSON: an array or one object; empty when absent.</param>
    /// <param name="functionCall">The legacy member's object; empty when absent.</param>
    public void Consume(ReadOnlySpan<byte> toolCalls, ReadOnlySpan<byte> functionCall)
    {
        _chunk++;
        if (!toolCalls.IsEmpty)
        {
            var reader = new Utf8JsonReader(toolCalls, ChatChunkReader.Options);
            reader.Read();
            var position = 0;
            if (reader.TokenType == JsonTokenType.StartObject)
            {
                ConsumeOne(CallPiece.Read(ref reader, toolCalls), position);
                return;
            }

            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                if (reader.TokenType == JsonTokenType.StartObject)
                {
                    ConsumeOne(CallPiece.Read(ref reader, toolCalls), position++);
                }
                else
                {
                    reader.Skip();
                }
            }
        }
        else if (!functionCall.IsEmpty)
        {
            var reader = new Utf8JsonReader(functionCall, ChatChunkReader.Options);
            reader.Read();
            ConsumeOne(CallPiece.Read(ref reader, functionCall), 0);
        }
    }

    /// <summary>Something else begins: the open call is whole.</summary>
    public void CloseOpen()
    {
        if (_open is not null)
        {
            Close(_open, completed: true);
        }
    }

    /// <summary>Writes what is still to be written. An error when a call never got a name.</summary>
    /// <param name="isCut">The model was cut off: the last call, or the first that is not whole, is incomplete, and none follows it.</param>
    public ApiError? Finish(bool isCut)
    {
        for (var i = 0; i < _calls.Count; i++)
        {
            var call = _calls[i];
            if (call.IsClosed)
            {
                continue;
            }

            if (call.Name.Length == 0)
            {
                if (call.Arguments.Length == 0)
                {
                    continue;
                }

                return isCut ? null : ApiError.UpstreamError("The model server sent a tool call without a name.");
            }

            if (!call.IsOpened)
            {
                Open(call);
            }

            var isIncomplete = isCut && (i == _calls.Count - 1 || (call.Arguments.Length > 0 && !call.HasWholeArguments));
            Close(call, completed: !isIncomplete);
            if (isIncomplete)
            {
                return null;
            }
        }

        return null;
    }

    /// <summary>The round failed: nothing more is written.</summary>
    public void Abandon()
    {
        if (_open is not null)
        {
            SendArguments(_open, final: false);
            _open = null;
        }
    }

    public void Dispose()
    {
        _scratch.Dispose();
        foreach (var call in _calls)
        {
            call.Dispose();
        }
    }

    private void ConsumeOne(CallPiece piece, int position)
    {
        var call = Find(piece, position);
        if (call is null)
        {
            if (_calls.Count >= _context.MaxCalls)
            {
                IsOverLimit = true;
                return;
            }

            // A call too many is kept as a closed one, so that its further pieces are not taken for those of the call that counts.
            call = new CallBuffer { Index = piece.Index, IsClosed = _context.OneCallOnly && _calls.Count > 0 };
            _calls.Add(call);
        }

        call.Chunk = _chunk;
        if (piece.Id.Length > 0)
        {
            call.UpstreamId ??= piece.Id;
        }

        if (call.IsClosed)
        {
            return;
        }

        AddName(call, piece.Name);
        AddArguments(call, piece.Arguments);
        Advance();
    }

    /// <summary>The call that a piece belongs to, or null when it begins a new one.</summary>
    private CallBuffer? Find(CallPiece piece, int position)
    {
        CallBuffer? call;
        var (index, id) = (piece.Index, piece.Id);
        if (index >= 0)
        {
            call = _calls.FindLast(c => c.Index == index);
            return call is not null && BeginsAnother(call, piece) ? null : call;
        }

        if (id.Length > 0)
        {
            // Not one that this chunk has named before: an answer that is no stream has all its calls in one, and some servers give them one id.
            call = _calls.FindLast(c => c.UpstreamId == id && c.Chunk != _chunk);
            if (call is not null)
            {
                return call;
            }

            if (piece.Name.Length > 0)
            {
                return null;
            }
        }
        else if (piece.Name.Length > 0 && _calls.Count > 0 && _calls[^1].Arguments.Length > 0)
        {
            return position < _calls.Count && position > 0 && _calls[position].Arguments.Length == 0 ? _calls[position] : null;
        }

        return position > 0 ? (position < _calls.Count ? _calls[position] : null) : _calls.LastOrDefault();
    }

    /// <summary>
    /// Servers that number every call 0 tell calls apart by id and name; others send a new id with every piece of one call. So another id
    /// alone means nothing, and another id with a name means a new call, unless the name only repeats while the arguments still grow.
    /// </summary>
    private static bool BeginsAnother(CallBuffer call, CallPiece piece) =>
        piece.Id.Length > 0 && piece.Name.Length > 0 && call.UpstreamId is not null && piece.Id != call.UpstreamId
        && (piece.Name != call.Name || call.HasWholeArguments);

    private static void AddName(CallBuffer call, string name)
    {
        // A name may come in pieces, or be repeated with every piece.
        if (name.Length > 0 && name != call.Name && call.Arguments.Length == 0 && !call.IsOpened)
        {
            call.Name += name;
        }
        else if (call.Name.Length == 0)
        {
            call.Name = name;
        }
    }

    private void AddArguments(CallBuffer call, ReadOnlySpan<byte> raw)
    {
        if (raw.IsEmpty)
        {
            return;
        }

        var before = call.Arguments.Length;
        if (raw[0] == '"')
        {
            var text = JsonText.Unescape(raw, _scratch, ref call.PendingSurrogate);
            if (!text.IsEmpty)
            {
                call.AddArguments(text);
            }
        }
        else
        {
            _scratch.Clear();
            CompactJson.Write(raw, _scratch);
            call.AddArguments(_scratch.WrittenSpan);
        }

        ArgumentBytes += Math.Max(0, call.Arguments.Length - before);
    }

    /// <summary>Opens and closes calls in order as far as what arrived allows, and sends the open one's new arguments.</summary>
    private void Advance()
    {
        foreach (var call in _calls)
        {
            if (call.IsClosed)
            {
                continue;
            }

            if (!call.IsOpened)
            {
                if (call.Name.Length == 0 || call.Arguments.Length == 0)
                {
                    return;
                }

                Open(call);
            }

            SendArguments(call, final: false);
            if (call == _calls[^1] || !call.HasWholeArguments)
            {
                return;
            }

            Close(call, completed: true);
        }
    }

    private void Open(CallBuffer call)
    {
        var tool = ToolNames.Find(_context.Tools, call.Name);
        var name = tool?.Name ?? call.Name;
        var callId = CallIdFor(call);
        call.IsOpened = true;
        _open = call;
        _openTool = tool;

        // A name that was not offered is the client's to refuse, unless all tools are the gateway's.
        _defers |= tool is null ? _context.Tools.Count > 0 && _context.Tools.All(static t => t.IsServerRun) : tool.IsServerRun;
        if (_defers)
        {
            // What was open before is whole, and stays before it.
            _events.CloseItem();
            call.CallId = callId;
            return;
        }

        if (tool?.Kind == ToolKind.Custom)
        {
            _events.OpenCustomToolCall(callId, name, tool.Namespace);
        }
        else
        {
            _events.OpenFunctionCall(callId, name, tool?.Namespace);
        }

        _made.Add(new RoundCall(tool, callId, call.UpstreamId));
    }

    /// <summary>
    /// Clients get ids of the API's form that are unique in the context; servers repeat theirs from round to round. The server's own id is
    /// kept when it has that form and is free.
    /// </summary>
    private string CallIdFor(CallBuffer call)
    {
        var id = call.UpstreamId;
        var usable = id is { Length: > 5 and <= 64 } && id.StartsWith("call_", StringComparison.Ordinal)
            && !id.AsSpan().ContainsAnyExcept(CallPiece.IdCharacters)
            && !_calls.Exists(c => c.CallId == id) && !_made.Exists(m => m.CallId == id) && !_context.IsCallIdTaken(id);
        return usable ? id! : _context.NewCallId();
    }

    private void SendArguments(CallBuffer call, bool final)
    {
        // A custom tool's text is inside a JSON object that must be whole to be read; a lone {} may be a placeholder.
        var pending = call.Arguments.WrittenSpan[call.Sent..];
        if (_openTool?.Kind == ToolKind.Custom || pending.IsEmpty || (!final && call.Arguments.WrittenSpan.SequenceEqual("{}"u8)))
        {
            return;
        }

        if (call.CallId is null)
        {
            _events.CallDelta(pending);
        }

        call.Sent = call.Arguments.Length;
    }

    private void Close(CallBuffer call, bool completed)
    {
        if (_openTool?.Kind == ToolKind.Custom)
        {
            var input = CustomToolInput.Unwrap(call.Arguments.WrittenSpan, _scratch);
            if (call.CallId is not null)
            {
                Defer(call, call.CallId, input, completed);
            }
            else if (!input.IsEmpty)
            {
                _events.CallDelta(input);
            }
        }
        else
        {
            if (call.Arguments.Length == 0 && completed)
            {
                call.Arguments.Append("{}"u8);
            }

            SendArguments(call, final: true);
            if (call.CallId is not null)
            {
                Defer(call, call.CallId, call.Arguments.WrittenSpan, completed);
            }
        }

        if (call.CallId is null)
        {
            _events.CloseItem(completed);
        }

        call.IsClosed = true;
        _open = null;
        _openTool = null;
    }

    private void Defer(CallBuffer call, string callId, ReadOnlySpan<byte> arguments, bool completed) =>
        _made.Add(new RoundCall(_openTool, callId, call.UpstreamId)
        {
            Deferred = new DeferredCall(call.Name, Encoding.UTF8.GetString(arguments), IsCut: !completed),
        });
}
