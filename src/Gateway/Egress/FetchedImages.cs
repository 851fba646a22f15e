using Gateway.Protocol.Responses;

namespace Gateway.Egress;

/// <summary>What became of the images of a context.</summary>
/// <param name="DataUrls">The data URL of each image by its URL; empty for one that is left out.</param>
/// <param name="Error">What to tell the client when an image of its request can not be had; null when all is well.</param>
internal sealed record FetchedImages(IReadOnlyDictionary<string, ReadOnlyMemory<byte>> DataUrls, ApiError? Error)
{
    /// <summary>There was nothing to fetch.</summary>
    public static FetchedImages None { get; } = new(new Dictionary<string, ReadOnlyMemory<byte>>(), null);
}
