using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>The rules between the items of an assembled context: every output answers a call, every call has its output.</summary>
public static class ContextRules
{
    /// <summary>Checks a whole context, oldest item first. The time is linear in the number of items.</summary>
    /// <param name="items">The chain's items and the request's own.</param>
    /// <param name="cutCallIds">
    /// Calls of turns that ended incomplete: they need no output, the translation leaves them out. So it does with calls whose own
    /// <c>status</c> is <c>incomplete</c>.
    /// </param>
    /// <returns>The error to answer with, or null.</returns>
    public static ApiError? Check(IReadOnlyList<Item> items, IReadOnlySet<string>? cutCallIds)
    {
        ArgumentNullException.ThrowIfNull(items);
        var pairs = CallPairs.Find(items);
        ApiError? unanswered = null;
        for (var i = 0; i < items.Count; i++)
        {
            var row = ItemTable.Row(items[i].Kind);
            if (row.Mapping is not (ItemMapping.Call or ItemMapping.Output) || pairs.PartnerOf(i) != CallPairs.None)
            {
                continue;
            }

            if (row.Mapping == ItemMapping.Output)
            {
                // A tool search that the server ran has no call id on either side.
                if (row.Kind != ItemKind.ToolSearchOutput || items[i].CallIdUtf8.Length > 0)
                {
                    return ApiError.NoCallForOutput(row.Label, items[i].CallId);
                }
            }
            else if (unanswered is null && NeedsOutput(items[i], cutCallIds))
            {
                unanswered = ApiError.NoOutputForCall(row.Label, items[i].CallId);
            }
        }

        return unanswered;
    }

    private static bool NeedsOutput(Item call, IReadOnlySet<string>? cutCallIds) =>
        call.CallIdUtf8.Length > 0
        && cutCallIds?.Contains(call.CallId) != true
        && !JsonView.TextEquals(JsonView.Member(call.Json, "status"u8), "incomplete"u8);
}
