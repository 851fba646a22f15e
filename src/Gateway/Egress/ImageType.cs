namespace Gateway.Egress;

/// <summary>
/// Tells an image by its first bytes. The server's word is not asked: it may be wrong, and what is no image must not reach a model because
/// somebody called it one.
/// </summary>
internal static class ImageType
{
    /// <summary>The media type of the four formats that the API takes; null for anything else.</summary>
    public static string? Find(ReadOnlySpan<byte> image) => image switch
    {
        [0x89, (byte)'P', (byte)'N', (byte)'G', 0x0D, 0x0A, 0x1A, 0x0A, ..] => "image/png",
        [0xFF, 0xD8, 0xFF, ..] => "image/jpeg",
        [(byte)'G', (byte)'I', (byte)'F', (byte)'8', (byte)'7' or (byte)'9', (byte)'a', ..] => "image/gif",
        [(byte)'R', (byte)'I', (byte)'F', (byte)'F', _, _, _, _, (byte)'W', (byte)'E', (byte)'B', (byte)'P', ..] => "image/webp",
        _ => null,
    };
}
