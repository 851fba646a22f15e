using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>The members of the items of MCP calls (Responses API reference, "MCP call").</summary>
internal static class ServerCallItems
{
    /// <summary>The members that are known before the call runs.</summary>
    public static byte[] Start(ServerCall call)
    {
        using var json = new PooledBuffer(256);
        json.Append(",\"server_label\":"u8);
        json.AppendString(call.Label);
        json.Append(",\"name\":"u8);
        json.AppendString(call.Tool.Name);
        if (call.ApprovalRequestId is not null)
        {
            json.Append(",\"approval_request_id\":"u8);
            json.AppendString(call.ApprovalRequestId);
        }

        return json.WrittenSpan.ToArray();
    }

    public static ServerCallResult Completed(string text) => new(ServerCallEnd.Completed, text, Member(",\"output\":"u8, text));

    public static ServerCallResult Failed(string error) => new(ServerCallEnd.Failed, error, Member(",\"output\":null,\"error\":"u8, error));

    private static byte[] Member(ReadOnlySpan<byte> head, string text)
    {
        using var json = new PooledBuffer(text.Length + head.Length + 2);
        json.Append(head);
        json.AppendString(text);
        return json.WrittenSpan.ToArray();
    }
}
