using Gateway.Check;
using Gateway.Tests.Documents;

namespace Gateway.Tests.Check;

/// <summary><c>docs/check.md</c> tells of every case and every option.</summary>
public sealed class CheckDocumentTests
{
    private static readonly string Page = Repository.Read("docs/check.md");

    [Fact]
    public void Cases_HaveARowEach() =>
        Assert.Equal(CheckCases.All.Select(one => $"`{one.Name}`"), MarkdownTable.Rows(Page).Where(row => row.Heading == "Cases").Select(row => row.Cells[0]));

    [Fact]
    public void Options_HaveARowEach() => Assert.Equal(
        CheckArguments.Help.Split('\n').Where(line => line.StartsWith("  --", StringComparison.Ordinal)).Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[0]).Except(["--help"]),
        MarkdownTable.Rows(Page).Where(row => row.Heading == "Options").Select(row => row.Cells[0].Trim('`').Split(' ')[0]));
}
