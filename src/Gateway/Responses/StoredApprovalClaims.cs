using Gateway.Store;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>Approvals are taken in the store, which all replicas share; by the response that runs the call.</summary>
/// <param name="store">The store.</param>
/// <param name="tenant">Whose they are.</param>
/// <param name="owner">The response.</param>
/// <param name="retention">How long they stay taken.</param>
/// <param name="clientIds">
/// The ids that approval requests came with, where they have another one now: sent once more they get yet another, and are the same all the same.
/// Null for none.
/// </param>
internal sealed class StoredApprovalClaims(
    IResponseStore store, string tenant, ResponseId owner, TimeSpan retention, IReadOnlyDictionary<string, string>? clientIds = null) : IApprovalClaims
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
        store.ClaimAsync(tenant, NameOf(approvalRequestId, clientIds), owner.ToString(), retention, cancellationToken);

    public ValueTask<bool> RefuseAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        store.ClaimAsync(tenant, NameOf(approvalRequestId, clientIds), Nobody, retention, cancellationToken);

    public async ValueTask ReleaseAsync(string approvalRequestId)
    {
        try
        {
            await store.ReleaseAsync(tenant, NameOf(approvalRequestId, clientIds), owner.ToString(), CancellationToken.None);
        }
        catch (StoreUnavailableException)
        {
            // It stays taken: the call never runs, which is the safe side.
        }
    }
}
