using Gateway.Store;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>
/// Approvals are taken in the store, which all replicas share; by the response that runs the call. A request for approval that stands in a conversation
/// stays open there when that response fails, for as long as the conversation is used: so does what was taken of it.
/// </summary>
/// <param name="store">The store.</param>
/// <param name="conversations">Where conversations are kept.</param>
/// <param name="tenant">Whose they are.</param>
/// <param name="owner">The response.</param>
/// <param name="retention">How long they stay taken.</param>
/// <param name="clientIds">
/// The ids that approval requests came with, where they have another one now: sent once more they get yet another, and are the same all the same.
/// Null for none.
/// </param>
internal sealed class StoredApprovalClaims(
    IResponseStore store, IConversationStore conversations, string tenant, ResponseId owner, TimeSpan retention,
    IReadOnlyDictionary<string, string>? clientIds = null) : IApprovalClaims
{
    private const string Prefix = "approval:";

    /// <summary>Who takes what nobody may run. Not the response: a refusal may be sent again, and branches of a chain may all refuse.</summary>
    private const string Nobody = "refused";

    /// <summary>The name under which the store keeps who has taken an approval.</summary>
    /// <param name="approvalRequestId">The approval request.</param>
    /// <param name="clientIds">The ids that approval requests came with, where they have another one now; null for none.</param>
    public static string NameOf(string approvalRequestId, IReadOnlyDictionary<string, string>? clientIds) =>
        Prefix + (clientIds?.GetValueOrDefault(approvalRequestId) ?? approvalRequestId);

    public ValueTask<bool> ClaimAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        TakeAsync(approvalRequestId, owner.ToString(), cancellationToken);

    public ValueTask<bool> RefuseAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        TakeAsync(approvalRequestId, Nobody, cancellationToken);

    public async ValueTask ReleaseAsync(string approvalRequestId)
    {
        try
        {
            var name = NameOf(approvalRequestId, clientIds);
            if (ResponseId.TryParseItem(approvalRequestId, out var turn, out _))
            {
                await conversations.DropClaimAsync(tenant, turn.Chain, name, owner.ToString(), CancellationToken.None);
            }

            await store.ReleaseAsync(tenant, name, owner.ToString(), CancellationToken.None);
        }
        catch (StoreUnavailableException)
        {
            // It stays taken: the call never runs, which is the safe side.
        }
    }

    private async ValueTask<bool> TakeAsync(string approvalRequestId, string by, CancellationToken cancellationToken)
    {
        var name = NameOf(approvalRequestId, clientIds);
        return await store.ClaimAsync(tenant, name, by, retention, cancellationToken)
            && (!ResponseId.TryParseItem(approvalRequestId, out var turn, out _)
                || await conversations.KeepClaimAsync(tenant, turn.Chain, name, by, cancellationToken));
    }
}
