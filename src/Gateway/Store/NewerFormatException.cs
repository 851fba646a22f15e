namespace Gateway.Store;

/// <summary>
/// What was asked for is in a format that this version does not know: a newer version of the gateway wrote it. It stays as it is. The store itself works.
/// </summary>
/// <param name="what">What it is, as the beginning of a sentence: <c>A stored turn</c>.</param>
internal sealed class NewerFormatException(string what)
    : StoreUnavailableException($"{what} was written by a newer version of the gateway: upgrade this one.");
