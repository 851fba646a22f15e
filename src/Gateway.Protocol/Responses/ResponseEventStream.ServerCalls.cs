using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>Items of what the gateway runs itself: lists of tools, calls, and requests for the user's word.</summary>
public sealed partial class ResponseEventStream
{
    private ServerCallRow? _serverCall;
    private bool _isHidden;
    private int _extraIndexes;

    private bool HidesServerItems => !_envelope.Dialect.ShowsServerEvents;

    /// <summary>Opens the list of a server's tools. Any open item is closed as completed first.</summary>
    public void OpenToolList(string serverLabel)
    {
        OpenServerItem(OpenItem.ToolList, ItemTable.IdPrefix(ItemKind.McpListTools));
        _parts.Append(",\"type\":\"mcp_list_tools\",\"server_label\":"u8);
        _parts.AppendString(serverLabel);
        AddedServerItem(",\"tools\":[]}"u8);
        WriteItemEvent("response.mcp_list_tools.in_progress"u8);
    }

    /// <summary>Closes the list.</summary>
    /// <param name="tools">The tools as the API shows them: a JSON array.</param>
    /// <param name="error">Why there is none, or null.</param>
    public void CloseToolList(ReadOnlySpan<byte> tools, string? error)
    {
        WriteItemEvent(error is null ? "response.mcp_list_tools.completed"u8 : "response.mcp_list_tools.failed"u8);
        _parts.Append(",\"tools\":"u8);
        _parts.Append(tools);
        if (error is not null)
        {
            _parts.Append(",\"error\":"u8);
            _parts.AppendString(error);
        }

        CloseServerItem();
    }

    /// <summary>Opens a call that is about to run, and tells its text. Any open item is closed as completed first.</summary>
    /// <param name="kind">The call's form.</param>
    /// <param name="members">The item's members that are known from the start, each behind a comma; may be empty.</param>
    /// <param name="text">What the model wrote: arguments or code; not shown in forms that have none.</param>
    public void OpenServerCall(ServerCallKind kind, ReadOnlySpan<byte> members, string text)
    {
        var row = ServerCallRow.Of(kind);
        OpenServerItem(OpenItem.ServerCall, row.IdPrefix);
        _serverCall = row;
        _parts.Append(",\"type\":\""u8);
        _parts.Append(row.Type);
        _parts.Append((byte)'"');
        _parts.Append(members);
        using var rest = new PooledBuffer(64);
        rest.Append(row.TextHead);
        rest.Append(row.TextHead is null ? ",\"status\":\"in_progress\"}"u8 : "\",\"status\":\"in_progress\"}"u8);
        AddedServerItem(rest.WrittenSpan);
        WriteItemEvent(row.Started);
        if (row.TextHead is not null)
        {
            using var utf8 = new PooledBuffer(text.Length);
            JsonText.Escape(text, utf8);
            WriteServerText(row, utf8.WrittenSpan);
            _parts.Append(row.TextHead);
            _parts.Append(utf8.WrittenSpan);
            _parts.Append((byte)'"');
        }

        if (row.Working is not null)
        {
            WriteItemEvent(row.Working);
        }
    }

    /// <summary>Closes the call.</summary>
    /// <param name="end">How it ended.</param>
    /// <param name="members">The item's members that tell the outcome, each behind a comma; may be empty.</param>
    public void CloseServerCall(ServerCallEnd end, ReadOnlySpan<byte> members)
    {
        var row = _serverCall!;
        if (end == ServerCallEnd.Completed)
        {
            WriteItemEvent(row.Completed);
        }
        else if (end == ServerCallEnd.Failed && row.Failed is not null)
        {
            WriteItemEvent(row.Failed);
        }

        _parts.Append(",\"status\":\""u8);
        _parts.Append(end switch
        {
            ServerCallEnd.Completed => "completed"u8,
            ServerCallEnd.Failed => "failed"u8,
            _ => "incomplete"u8,
        });
        _parts.Append((byte)'"');
        _parts.Append(members);
        CloseServerItem();
    }

    /// <summary>Writes the request for the user's word on a call: opened and closed at once, with no event between.</summary>
    public void WriteApprovalRequest(string serverLabel, string name, string arguments)
    {
        OpenServerItem(OpenItem.ToolList, ItemTable.IdPrefix(ItemKind.McpApprovalRequest));

        // The user must see it in every dialect: nothing goes on without an answer.
        _isHidden = false;
        _parts.Append(",\"type\":\"mcp_approval_request\",\"server_label\":"u8);
        _parts.AppendString(serverLabel);
        _parts.Append(",\"name\":"u8);
        _parts.AppendString(name);
        _parts.Append(",\"arguments\":"u8);
        _parts.AppendString(arguments);
        AddedServerItem("}"u8);
        CloseServerItem();
    }

    /// <summary>The id of the item that was opened last.</summary>
    public string ItemId => System.Text.Encoding.UTF8.GetString(_itemHead);

    private void OpenServerItem(OpenItem kind, string prefix)
    {
        CloseItem();
        Open(kind, prefix);
        _isHidden = HidesServerItems;
    }

    private void AddedServerItem(ReadOnlySpan<byte> rest)
    {
        using var snapshot = new PooledBuffer(_parts.Length + rest.Length);
        snapshot.Append(_parts.WrittenSpan);
        snapshot.Append(rest);
        Added(snapshot.WrittenSpan);
    }

    private void WriteServerText(ServerCallRow row, ReadOnlySpan<byte> escaped)
    {
        // At least one delta, whatever came.
        BeginItemEvent(row.TextDelta);
        _json.Append(",\"delta\":\""u8);
        var start = _json.Length;
        _json.Append(escaped);
        _json.Append((byte)'"');
        if (_obfuscate)
        {
            AppendObfuscation(_json.Length - start);
        }

        EndEvent(row.TextDelta);
        BeginItemEvent(row.TextDone);
        _json.Append(row.TextHead);
        _json.Append(escaped);
        _json.Append((byte)'"');
        EndEvent(row.TextDone);
    }

    private void WriteItemEvent(ReadOnlySpan<byte> type)
    {
        BeginItemEvent(type);
        EndEvent(type);
    }

    private void CloseServerItem()
    {
        FinishItem(completed: true);
        WriteItemDone();
        _isHidden = false;
        _serverCall = null;
    }

    /// <summary>What an abandoned item shows instead of an outcome.</summary>
    private static ReadOnlySpan<byte> RestOfAbandoned(OpenItem kind) =>
        kind == OpenItem.ToolList ? ",\"tools\":[]"u8 : ",\"status\":\"incomplete\""u8;
}
