using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>What items of a context say about server-run calls that other items hold: the user's word, and the outcome.</summary>
internal sealed class ServerCallOutcomes
{
    private static readonly ServerCallOutcomes None = new();
    private readonly Dictionary<string, int> _runs = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Item> _answers = new(StringComparer.Ordinal);
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _outputs = new(StringComparer.Ordinal);
    private readonly HashSet<string> _requests = new(StringComparer.Ordinal);

    private ServerCallOutcomes()
    {
    }

    public static ServerCallOutcomes Find(IReadOnlyList<Item> items)
    {
        ServerCallOutcomes? found = null;
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind is ItemKind.McpApprovalRequest or ItemKind.McpApprovalResponse or ItemKind.McpCall or ItemKind.ToolOutput)
            {
                found ??= new ServerCallOutcomes();
                found.Add(items[i], i);
            }
        }

        return found ?? None;
    }

    /// <summary>The index of the call that ran when the request was approved, or -1.</summary>
    public int RunOf(string approvalRequestId) => _runs.GetValueOrDefault(approvalRequestId, -1);

    /// <summary>The call ran on an approval whose request is in the context: it is shown there.</summary>
    public bool IsShownAtRequest(Item call) => ApprovalOf(call) is { } id && _requests.Contains(id);

    /// <summary>The user said no. <paramref name="reason"/> is the user's, or null.</summary>
    public bool IsRefused(string approvalRequestId, out string? reason)
    {
        reason = null;
        if (!_answers.TryGetValue(approvalRequestId, out var answer) || McpItems.IsApproved(answer))
        {
            return false;
        }

        reason = JsonView.Text(JsonView.Member(answer.Json, "reason"u8));
        return true;
    }

    /// <summary>The output that stands in an item of its own; empty when there is none.</summary>
    public ReadOnlyMemory<byte> OutputOf(string callId) => _outputs.GetValueOrDefault(callId);

    private void Add(Item item, int index)
    {
        switch (item.Kind)
        {
            case ItemKind.McpApprovalRequest:
                _requests.Add(item.Id);
                break;
            case ItemKind.McpApprovalResponse:
                _answers.TryAdd(McpItems.ApprovalRequestIdOf(item)!, item);
                break;
            case ItemKind.McpCall when ApprovalOf(item) is { } id:
                _runs.TryAdd(id, index);
                break;
            case ItemKind.ToolOutput when JsonView.Text(JsonView.Member(item.Json, "tool_call_id"u8)) is { } callId:
                _outputs.TryAdd(callId, JsonView.Member(item.Json, "output"u8));
                break;
        }
    }

    private static string? ApprovalOf(Item call) => McpItems.ApprovalRequestIdOf(call);
}
