namespace Gateway.Tools;

/// <summary>Sees to it that an approved call runs once, whoever sends the approval how often to which replica.</summary>
internal interface IApprovalClaims
{
    /// <summary>Takes the approval. False when it was taken before.</summary>
    /// <exception cref="Exception">The store can not be reached; nothing was run then.</exception>
    ValueTask<bool> ClaimAsync(string approvalRequestId, CancellationToken cancellationToken);

    /// <summary>Sees to it that nobody approves the call any more. May be said again and again. False when it was approved before.</summary>
    /// <exception cref="Exception">The store can not be reached.</exception>
    ValueTask<bool> RefuseAsync(string approvalRequestId, CancellationToken cancellationToken);

    /// <summary>Gives an approval back whose call has not been started. Does nothing when the store can not be reached.</summary>
    ValueTask ReleaseAsync(string approvalRequestId);
}
