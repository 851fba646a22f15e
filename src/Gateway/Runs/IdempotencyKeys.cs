using System.Security.Cryptography;
using Gateway.Protocol.Responses;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>
/// Requests with an <c>Idempotency-Key</c>: the first of a tenant's requests with a key is made, the others get what it gave. The store keeps the
/// key's hash, the body's hash and the response's id for 24 hours; of additions to conversations the ids that were to be made.
/// </summary>
internal sealed class IdempotencyKeys(IResponseStore store)
{
    public const string Header = "Idempotency-Key";

    /// <summary>How long a key is kept, and the events of a response that was asked for with one.</summary>
    public static readonly TimeSpan Life = TimeSpan.FromHours(24);

    private const int MaxLength = 255;

    /// <summary>Hexadecimal digits of SHA-256.</summary>
    private const int HashLength = 64;
    private const string Prefix = "idempotency:";
    private const string DonePrefix = "idempotency-done:";

    /// <summary>Instead of an id: the response is not stored, so it can not be given again.</summary>
    private const string Unstored = "-";

    /// <summary>Reads the header; no key when there is none.</summary>
    /// <param name="request">The request.</param>
    /// <param name="what">What is asked for, without a slash: the same body for something else is another request.</param>
    /// <param name="body">The request's body.</param>
    /// <param name="key">The key, or null.</param>
    /// <returns>The error, or null.</returns>
    public static ApiError? Read(HttpRequest request, string what, ReadOnlyMemory<byte> body, out IdempotencyKey? key)
    {
        key = null;
        if (!request.Headers.TryGetValue(Header, out var values))
        {
            return null;
        }

        var text = values.ToString();
        if (text.Length is 0 or > MaxLength || !text.All(static c => c is >= '!' and <= '~'))
        {
            return ApiError.InvalidValue(Header, $"Invalid '{Header}': expected 1 to {MaxLength} visible ASCII characters.");
        }

        key = new IdempotencyKey(Prefix + text, $"{what}:{Convert.ToHexStringLower(SHA256.HashData(body.Span))}");
        return null;
    }

    /// <summary>The response of the first request with the key. Null and no error when there was none so far.</summary>
    public async ValueTask<(ResponseId? First, ApiError? Error)> FindAsync(string tenant, IdempotencyKey key, CancellationToken cancellationToken)
    {
        if (await store.FindOwnerAsync(tenant, key.Name, cancellationToken) is not { } owner)
        {
            return (null, null);
        }

        var (body, made) = Read(owner);
        if (body != key.Body)
        {
            return (null, ApiError.IdempotencyKeyReused());
        }

        return ResponseId.TryParse(made, out var id) ? (id, null) : (null, ApiError.IdempotencyKeyInUse());
    }

    /// <summary>Takes the key for a response. When another request has it, it is to be looked for (<see cref="FindAsync"/>).</summary>
    /// <param name="tenant">Whose key it is.</param>
    /// <param name="key">The key.</param>
    /// <param name="id">The response; null when it is not stored.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    public ValueTask<bool> TakeAsync(string tenant, IdempotencyKey key, ResponseId? id, CancellationToken cancellationToken) =>
        store.ClaimAsync(tenant, key.Name, OwnerOf(key, id), Life, cancellationToken);

    /// <summary>
    /// Takes the key for something to be made under names that are chosen before, so that whoever makes it once more makes nothing new. Such a key is
    /// not given back.
    /// </summary>
    /// <param name="tenant">Whose key it is.</param>
    /// <param name="key">The key.</param>
    /// <param name="names">The names, which nobody else has.</param>
    /// <param name="cancellationToken">Gives up waiting.</param>
    /// <returns>The names that the first request with the key has chosen; these when this is the first.</returns>
    public async ValueTask<(string? Names, ApiError? Error)> NameAsync(string tenant, IdempotencyKey key, string names, CancellationToken cancellationToken)
    {
        if (await store.ClaimAsync(tenant, key.Name, $"{key.Body}/{names}", Life, cancellationToken))
        {
            return (names, null);
        }

        if (await store.FindOwnerAsync(tenant, key.Name, cancellationToken) is not { } owner)
        {
            return (null, ApiError.IdempotencyKeyInUse());
        }

        var (body, made) = Read(owner);
        return body == key.Body ? (made, null) : (null, ApiError.IdempotencyKeyReused());
    }

    /// <summary>What was to be made with the key was made.</summary>
    public async ValueTask<bool> IsDoneAsync(string tenant, IdempotencyKey key, CancellationToken cancellationToken) =>
        await store.FindOwnerAsync(tenant, DoneName(key), cancellationToken) is not null;

    /// <summary>Notes that it was.</summary>
    public async ValueTask SetDoneAsync(string tenant, IdempotencyKey key, CancellationToken cancellationToken) =>
        await store.ClaimAsync(tenant, DoneName(key), key.Body, Life, cancellationToken);

    /// <summary>Gives the key back: nothing was made, and the same request may be tried again.</summary>
    public async ValueTask ReleaseAsync(string tenant, IdempotencyKey key, ResponseId? id)
    {
        try
        {
            await store.ReleaseAsync(tenant, key.Name, OwnerOf(key, id), CancellationToken.None);
        }
        catch (StoreUnavailableException)
        {
            // It stays taken: the request is not made again, which is the safe side.
        }
    }

    /// <summary>What the store keeps under a key: what was asked for with the body's hash, and what it made.</summary>
    /// <exception cref="NewerFormatException">It is neither.</exception>
    private static (string Body, string Made) Read(string owner) =>
        owner.Split('/', 2) is [var body, var made] && body.Length > HashLength && body[^(HashLength + 1)] == ':'
            ? (body, made)
            : throw new NewerFormatException("What stands under an Idempotency-Key");

    private static string DoneName(IdempotencyKey key) => DonePrefix + key.Name;

    private static string OwnerOf(IdempotencyKey key, ResponseId? id) => $"{key.Body}/{id?.ToString() ?? Unstored + key.Nonce}";
}
