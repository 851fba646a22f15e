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
        Dictionary<string, Item>? requests = null;
        Dictionary<string, int>? runs = null;
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
            requests ??= RequestsOf(items);
            if (!requests.TryGetValue(id, out var request))
            {
                return ApiError.InvalidValue(path, $"No approval request found with id '{Shorten(id)}'.");
            }

            runs ??= RunsOf(items);
            var run = runs.GetValueOrDefault(id, -1);
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

    /// <summary>The ids of the requests in a context that nobody has answered yet, and that a later turn may therefore answer.</summary>
    public static IReadOnlyList<string> FindOpen(IReadOnlyList<Item> items)
    {
        var open = RequestsOf(items);
        if (open.Count == 0)
        {
            return [];
        }

        foreach (var item in items)
        {
            if (item.Kind is ItemKind.McpApprovalResponse or ItemKind.McpCall && McpItems.ApprovalRequestIdOf(item) is { } id)
            {
                open.Remove(id);
            }
        }

        return [.. open.Keys];
    }

    private static Dictionary<string, Item> RequestsOf(IReadOnlyList<Item> items)
    {
        var requests = new Dictionary<string, Item>(StringComparer.Ordinal);
        foreach (var item in items)
        {
            if (item.Kind == ItemKind.McpApprovalRequest)
            {
                requests.TryAdd(item.Id, item);
            }
        }

        return requests;
    }

    /// <summary>The index of the first call that ran on an approval, by the request's id.</summary>
    private static Dictionary<string, int> RunsOf(IReadOnlyList<Item> items)
    {
        var runs = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < items.Count; i++)
        {
            if (items[i].Kind == ItemKind.McpCall && McpItems.ApprovalRequestIdOf(items[i]) is { } id)
            {
                runs.TryAdd(id, i);
            }
        }

        return runs;
    }

    private static string Shorten(string id) => id.Length <= 128 ? id : id[..128] + "…";
}
