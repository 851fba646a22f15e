namespace Gateway.Store;

/// <summary>A store that must be opened or connected before its first use.</summary>
internal interface IStoreStart
{
    /// <exception cref="StoreUnavailableException">It can not be opened, and will not be by waiting. The message says why.</exception>
    Task StartAsync();
}
