namespace Gateway.Store;

/// <summary>The store can not serve now. Its message names no host and no key.</summary>
internal class StoreUnavailableException : Exception
{
    public StoreUnavailableException(string message, Exception? inner = null)
        : base(message, inner)
    {
    }
}
