using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>Finds the approvals that a request brings, and what they approve.</summary>
internal static class Approvals
{
    /// <summary>Finds the calls that the request approves or refuses and that have not run yet.</summary>
    /// <param name="items">The whole context.</param>
    /// <param name="chainItems">How many of the items are the chain's.</param>
    /// <param name="approved">The approval requests that are answered with yes, in the order of their answers.</param>
    /// <param name="refused">The ids of those that are answered with no.</param>
    /// <returns>The error to answer with, or null.</returns>
    public static ApiError? Find(IReadOnlyList<Item> items, int chainItems, out IReadOnlyList<Item> approved, out IReadOnlyList<string> refused)
    {
        var yes = new List<Item>();
        var no = new List<string>();
        (approved, refused) = (yes, no);
        HashSet<string>? answered = null;
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind != ItemKind.McpApprovalResponse)
            {
                continue;
            }

            var id = McpItems.ApprovalRequestIdOf(items[i])!;
            var isFirst = (answered ??= new HashSet<string>(StringComparer.Ordinal)).Add(id);
            if (i < chainItems)
            {
                continue;
            }

            var path = $"input[{i - chainItems}].approval_request_id";
            var request = items.FirstOrDefault(item => item.Kind == ItemKind.McpApprovalRequest && item.Id == id);
            if (request.Kind != ItemKind.McpApprovalRequest)
            {
                return ApiError.InvalidValue(path, $"No approval request found with id '{Shorten(id)}'.");
            }

            var run = IndexOfRun(items, id);
            if (!isFirst || (run >= 0 && run < chainItems))
            {
                return Used(path, id);
            }

            // A call in the input itself is history that the client sent along.
            if (run < 0 && McpItems.IsApproved(items[i]))
            {
                yes.Add(request);
            }
            else if (run < 0)
            {
                no.Add(id);
            }
        }

        return null;
    }

    public static ApiError Used(string path, string id) => ApiError.InvalidValue(path, $"The approval request '{Shorten(id)}' was answered already.");

    private static int IndexOfRun(IReadOnlyList<Item> items, string approvalRequestId)
    {
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind == ItemKind.McpCall && McpItems.ApprovalRequestIdOf(items[i]) == approvalRequestId)
            {
                return i;
            }
        }

        return -1;
    }

    private static string Shorten(string id) => id.Length <= 128 ? id : id[..128] + "…";
}
