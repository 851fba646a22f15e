namespace Gateway.Load;

/// <summary>Plain words, without anything that JSON escapes.</summary>
internal static class LoadText
{
    private const string Words = "the quick brown fox jumps over the lazy dog while seven boxes of grain wait ";

    public static string OfLength(int bytes) =>
        string.Create(bytes, Words, static (text, words) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = words[i % words.Length];
            }
        });
}
