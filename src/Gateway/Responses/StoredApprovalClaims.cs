using Gateway.Store;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>Approvals are taken in the store, which all replicas share; by the response that runs the call.</summary>
internal sealed class StoredApprovalClaims(IResponseStore store, string tenant, ResponseId owner, TimeSpan retention) : IApprovalClaims
{
    private const string Prefix = "approval:";

    public ValueTask<bool> ClaimAsync(string approvalRequestId, CancellationToken cancellationToken) =>
        store.ClaimAsync(tenant, Prefix + approvalRequestId, owner.ToString(), retention, cancellationToken);

    public async ValueTask ReleaseAsync(string approvalRequestId)
    {
        try
        {
            await store.ReleaseAsync(tenant, Prefix + approvalRequestId, owner.ToString(), CancellationToken.None);
        }
        catch (StoreUnavailableException)
        {
            // It stays taken: the call never runs, which is the safe side.
        }
    }
}
