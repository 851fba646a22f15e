namespace Gateway.Store;

/// <summary>Erases tenants. Both stores can.</summary>
internal interface ITenantEraser
{
    /// <summary>
    /// Erases all that is kept of one tenant: responses with their turns and events, runs, indexes, claims. In batches, so that the work of others
    /// goes on meanwhile. May be called again at any time: what is left is erased then. What a request that still runs writes meanwhile may stay.
    /// </summary>
    /// <exception cref="StoreUnavailableException">The store can not be reached, or a part of it; some may be erased already.</exception>
    ValueTask<TenantErasure> EraseTenantAsync(string tenant, CancellationToken cancellationToken);
}
