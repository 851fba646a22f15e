using Gateway.Protocol.Responses;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// The size of what a model reads of a Chat Completions request. It measures one prompt against another of the same chain, and is an estimate
/// of the tokens where nothing counts them.
/// </summary>
public static class PromptSize
{
    /// <summary>Bytes of JSON for one token: about as many as English text and code have.</summary>
    public const int BytesPerToken = 4;

    /// <summary>An image, a recording or a file has as many tokens as servers spend on it, whatever the bytes of its data are. A usual number.</summary>
    private const int TokensPerPart = 1024;

    /// <summary>
    /// Bytes of messages and tools. A letter of two bytes (Cyrillic, Greek, with an accent) counts as one, since tokens hold as many of them as of plain
    /// ones; parts other than text count as a fixed number of bytes.
    /// </summary>
    /// <param name="chat">The Chat Completions request.</param>
    public static long Of(ReadOnlyMemory<byte> chat)
    {
        var size = SizeOf(JsonView.Member(chat, "tools"u8));
        foreach (var message in JsonView.Elements(JsonView.Member(chat, "messages"u8)))
        {
            size += SizeOf(message);
            foreach (var part in JsonView.Elements(JsonView.Member(message, "content"u8)))
            {
                if (!IsText(part))
                {
                    size += (TokensPerPart * BytesPerToken) - SizeOf(part);
                }
            }
        }

        return size;
    }

    /// <summary>An estimate of the prompt's tokens.</summary>
    /// <param name="chat">The Chat Completions request.</param>
    public static int EstimateTokens(ReadOnlyMemory<byte> chat) => (int)Math.Min((Of(chat) + BytesPerToken - 1) / BytesPerToken, int.MaxValue);

    /// <summary>The request has no message at all.</summary>
    /// <param name="chat">The Chat Completions request.</param>
    public static bool IsEmpty(ReadOnlyMemory<byte> chat) => JsonView.Member(chat, "messages"u8).Length <= "[]".Length;

    /// <summary>A message holds an image, audio, or a file.</summary>
    internal static bool HasOtherThanText(ReadOnlyMemory<byte> chat)
    {
        foreach (var message in JsonView.Elements(JsonView.Member(chat, "messages"u8)))
        {
            foreach (var part in JsonView.Elements(JsonView.Member(message, "content"u8)))
            {
                if (!IsText(part))
                {
                    return true;
                }
            }
        }

        return false;
    }

    private static long SizeOf(ReadOnlyMemory<byte> json)
    {
        long size = json.Length;
        foreach (var value in json.Span)
        {
            // The first byte of two.
            size -= (value & 0xE0) == 0xC0 ? 1 : 0;
        }

        return size;
    }

    private static bool IsText(ReadOnlyMemory<byte> part) => JsonView.TextEquals(JsonView.Member(part, "type"u8), "text"u8);
}
