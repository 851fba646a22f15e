using System.Security.Cryptography;

namespace Gateway.Store;

/// <summary>
/// Unguessable text of letters and digits. Random bytes are drawn from the system's generator in blocks, one block a thread: a draw costs
/// microseconds whatever its size, and every request needs an id. A byte is used once.
/// </summary>
internal static class RandomText
{
    private const string Alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private const int BlockBytes = 2048;

    /// <summary>Bytes from here on would favour some characters, and are left out.</summary>
    private const int Fair = 256 - (256 % 62);

    [ThreadStatic]
    private static byte[]? _block;

    [ThreadStatic]
    private static int _left;

    public static string Of(int length) => string.Create(length, 0, static (text, _) => Fill(text));

    private static void Fill(Span<char> text)
    {
        var block = _block ??= new byte[BlockBytes];
        for (var i = 0; i < text.Length;)
        {
            if (_left == 0)
            {
                RandomNumberGenerator.Fill(block);
                _left = block.Length;
            }

            var value = block[--_left];
            block[_left] = 0;
            if (value < Fair)
            {
                text[i++] = Alphabet[value % Alphabet.Length];
            }
        }
    }
}
