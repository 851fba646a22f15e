using Gateway.Store;

namespace Gateway.Runs;

/// <summary>An <c>Idempotency-Key</c> with the request that it came with.</summary>
/// <param name="Name">The key, as the store knows it.</param>
/// <param name="Body">Stands for the request's body: another one under the same key is an error.</param>
internal sealed record IdempotencyKey(string Name, string Body)
{
    /// <summary>Tells requests apart that have no response in the store.</summary>
    public string Nonce { get; } = RandomText.Of(16);
}
