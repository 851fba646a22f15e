namespace Gateway.Store;

/// <summary>Why a run was not let in.</summary>
internal enum RunRefusal
{
    /// <summary>It was let in.</summary>
    None,

    /// <summary>There are as many runs of all tenants as <see cref="RunStart.MostRuns"/>.</summary>
    QueueFull,

    /// <summary>It would have to wait, and there are as many runs of its tenant as <see cref="RunStart.MostOfTenant"/>.</summary>
    TenantFull,

    /// <summary>Somebody saw to it that it is never made (<see cref="IRunStore.ForbidAsync"/>).</summary>
    Forbidden,
}
