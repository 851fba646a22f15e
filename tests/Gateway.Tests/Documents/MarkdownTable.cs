namespace Gateway.Tests.Documents;

/// <summary>The rows of Markdown's tables, with the heading they stand under.</summary>
internal static class MarkdownTable
{
    /// <summary>Every row below a table's head; <c>\|</c> in a cell is a bar.</summary>
    public static IEnumerable<(string Heading, string[] Cells)> Rows(string markdown)
    {
        var heading = string.Empty;
        var inBody = false;
        foreach (var line in markdown.Split('\n').Select(line => line.Trim()))
        {
            if (line.StartsWith('#'))
            {
                heading = line.TrimStart('#').Trim();
            }

            if (!line.StartsWith('|'))
            {
                inBody = false;
            }
            else if (line.StartsWith("| ---", StringComparison.Ordinal))
            {
                inBody = true;
            }
            else if (inBody)
            {
                yield return (heading, Cells(line));
            }
        }
    }

    private static string[] Cells(string row) =>
        [.. row.Trim('|').Replace("\\|", "\0", StringComparison.Ordinal).Split('|').Select(cell => cell.Trim().Replace('\0', '|'))];
}
