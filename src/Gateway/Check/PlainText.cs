namespace Gateway.Check;

/// <summary>Makes texts that came from the gateway fit to be printed: one line, without control characters, without keys.</summary>
/// <param name="secrets">The keys of this check.</param>
internal sealed class PlainText(params IReadOnlyList<string?> secrets)
{
    private const int MaxLength = 200;

    public string Clean(string text)
    {
        foreach (var secret in secrets.Where(secret => !string.IsNullOrEmpty(secret)))
        {
            text = text.Replace(secret!, "[key]", StringComparison.Ordinal);
        }

        text = string.Concat(text.Take(MaxLength).Select(c => char.IsControl(c) || char.GetUnicodeCategory(c) is System.Globalization.UnicodeCategory.Format ? '?' : c));
        return text;
    }
}
