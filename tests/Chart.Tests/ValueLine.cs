namespace Chart.Tests;

/// <summary>A key of <c>values.yaml</c> with the comment above it.</summary>
/// <param name="Chapter">The last line <c>## …</c> above it.</param>
/// <param name="Key">Its path, with dots.</param>
/// <param name="Default">Its value as it is written; empty for a map whose members have lines of their own.</param>
/// <param name="Description">The comment, in one line. A member without one, in a shape of Kubernetes' own, is part of the key above it.</param>
internal sealed record ValueLine(string Chapter, string Key, string Default, string Description)
{
    /// <summary>
    /// Keys whose members are Kubernetes' own, such as <c>resources</c>, have one line: that of a key with a comment whose members have none.
    /// </summary>
    public static IEnumerable<ValueLine> Read(string yaml)
    {
        var lines = yaml.Split('\n');
        var chapter = string.Empty;
        var path = new List<(int Indent, string Name)>();
        var comment = new List<string>();
        for (var i = 0; i < lines.Length; i++)
        {
            var text = lines[i].Trim();
            if (text.StartsWith("## ", StringComparison.Ordinal))
            {
                chapter = text[3..];
                comment.Clear();
            }
            else if (text.StartsWith('#'))
            {
                comment.Add(text[1..].Trim());
            }
            else if (text.Length == 0)
            {
                comment.Clear();
            }
            else
            {
                var indent = lines[i].Length - lines[i].TrimStart().Length;
                path.RemoveAll(part => part.Indent >= indent);
                var colon = text.IndexOf(':', StringComparison.Ordinal);
                path.Add((indent, text[..colon]));
                var value = text[(colon + 1)..].Trim();
                var end = EndOf(lines, i, indent);
                var key = string.Join('.', path.Select(part => part.Name));
                if (value.Length == 0 && !lines[(i + 1)..end].Any(line => line.TrimStart().StartsWith('#')))
                {
                    var members = string.Join('\n', lines[(i + 1)..end]);
                    yield return new ValueLine(chapter, key, Yaml.InOneLine(members), string.Join(' ', comment));
                    i = end - 1;
                }
                else
                {
                    yield return new ValueLine(chapter, key, value, string.Join(' ', comment));
                }

                comment.Clear();
            }
        }
    }

    /// <summary>The first line behind a key's members.</summary>
    private static int EndOf(string[] lines, int key, int indent)
    {
        var end = key + 1;
        while (end < lines.Length && lines[end].Trim().Length > 0 && lines[end].Length - lines[end].TrimStart().Length > indent)
        {
            end++;
        }

        return end;
    }
}
