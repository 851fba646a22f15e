using Gateway.Store;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>Approvals are taken in the store, which all replicas share; by the response that runs the call.</summary>
internal sealed class StoredApprovalClaims(IResponseStore store, string tenant, ResponseId owner, TimeSpan retention) : IApprovalClaims
{
    private const string Prefix = "approval:";

    /// <summary>Who takes what nobody may run. Not the response: a refusal may be sent again, and branches of a chain may all refuse.</summary>
    private const string Nobody = "refused";

    /// <summary>The name under which the store keeps who has taken an approval.</summary>
    public static string NameOf(string approvalRequestId) => Prefix + approvalRequestId;

    public ValueTask<bool> ClaimAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        store.ClaimAsync(tenant, NameOf(approvalRequestId), owner.ToString(), retention, cancellationToken);

    public ValueTask<bool> RefuseAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        store.ClaimAsync(tenant, NameOf(approvalRequestId), Nobody, retention, cancellationToken);

    public async ValueTask ReleaseAsync(string approvalRequestId)
    {
        try
        {
            await store.ReleaseAsync(tenant, NameOf(approvalRequestId), owner.ToString(), CancellationToken.None);
        }
        catch (StoreUnavailableException)
        {
            // It stays taken: the call never runs, which is the safe side.
        }
    }
}
