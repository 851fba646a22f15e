namespace Gateway.Store;

/// <summary>Opens the store when the host starts. A test's own store may need no opening.</summary>
internal sealed class StoreLifetime(IResponseStore store) : IHostedService
{
    public Task StartAsync(CancellationToken cancellationToken) => store is IStoreStart starting ? starting.StartAsync() : Task.CompletedTask;

    /// <summary>Nothing: requests may still run while the host stops. The container closes the store when it is disposed.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
