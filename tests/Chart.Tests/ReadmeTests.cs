using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Chart.Tests;

/// <summary>The table of values in the chart's README is made from the comments of <c>values.yaml</c>.</summary>
public sealed partial class ReadmeTests
{
    private const string Begin = "<!-- Made from values.yaml. -->";
    private const string End = "<!-- End of what is made from values.yaml. -->";

    private static readonly IReadOnlyList<ValueLine> Values = [.. ValueLine.Read(Folders.ReadChart("values.yaml"))];

    [Fact]
    public void Readme_TellsTheValues()
    {
        var readme = Folders.ReadChart("README.md");
        var from = readme.IndexOf(Begin, StringComparison.Ordinal) + Begin.Length;
        var to = readme.IndexOf(End, StringComparison.Ordinal);

        Generated.Check("README.md", readme[..from] + "\n" + Table() + "\n" + readme[to..]);
    }

    [Fact]
    public void Values_AreAllExplained() => Assert.Empty(Values.Where(value => value.Description.Length == 0).Select(value => value.Key));

    /// <summary>A number without a unit is a question.</summary>
    [Fact]
    public void Numbers_NameTheirUnit()
    {
        var numbers = Values.Where(value => Number().IsMatch(value.Default)).ToArray();

        Assert.NotEmpty(numbers);
        Assert.Empty(numbers.Where(value => !Unit().IsMatch(value.Description)).Select(value => $"{value.Key}: {value.Description}"));
    }

    /// <summary>Prometheus' own words for what the README tells the adapter.</summary>
    [Fact]
    public void Readme_NamesTheMetricOfTheAutoscaler() => Assert.Contains("as: gateway_open_streams", Folders.ReadChart("README.md"), StringComparison.Ordinal);

    private static string Table()
    {
        var text = new StringBuilder();
        foreach (var chapter in Values.GroupBy(value => value.Chapter))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n### {chapter.Key}\n\n| value | meaning | default |\n| --- | --- | --- |\n");
            foreach (var value in chapter)
            {
                var shown = value.Default.Length == 0 ? string.Empty : $"`{value.Default.Replace("|", "\\|", StringComparison.Ordinal)}`";
                text.Append(CultureInfo.InvariantCulture, $"| `{value.Key}` | {Special().Replace(value.Description, "\\$0")} | {shown} |\n");
            }
        }

        return text.ToString();
    }

    /// <summary>What Markdown would take for its own.</summary>
    [GeneratedRegex(@"[|*_<>~]")]
    private static partial Regex Special();

    [GeneratedRegex(@"^""?[0-9]+[A-Za-z]*""?$")]
    private static partial Regex Number();

    [GeneratedRegex("(?i)seconds|bytes|replicas|percent|port|failures|responses|sandboxes")]
    private static partial Regex Unit();
}
