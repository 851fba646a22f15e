using System.Globalization;
using System.Text.RegularExpressions;

namespace Gateway.Tests.Documents;

/// <summary><c>docs/facts.md</c> and the tests that name facts tell the same.</summary>
public sealed partial class FactTableTests
{
    private const int FactCount = 90;

    private static readonly IReadOnlyList<(string Heading, string[] Cells)> Rows = [.. MarkdownTable.Rows(Repository.Read("docs/facts.md"))];

    private static readonly IReadOnlyList<(string Class, string Method)> Tests = [.. Repository.Files("*.cs", "tests").SelectMany(file => TestsIn(Repository.Read(file)))];

    [Fact]
    public void Table_OfEveryFact_HasOneRow() =>
        Assert.Equal(Enumerable.Range(1, FactCount), Rows.Select(row => int.Parse(row.Cells[0], CultureInfo.InvariantCulture)));

    [Fact]
    public void EveryRow_NamesTestsOrSaysLater() =>
        Assert.DoesNotContain(Rows, row => !Named().IsMatch(row.Cells[2]) && row.Cells[2] != "later");

    [Fact]
    public void NamedTests_Exist() =>
        Assert.Empty(Rows.SelectMany(row => Named().Matches(row.Cells[2])).Select(match => (match.Groups["class"].Value, match.Groups["method"].Value)).Except(Tests));

    [Fact]
    public void TestsThatNameAFact_AreInItsRow()
    {
        var missing = Tests.SelectMany(test => FactsOf(test.Method).Select(fact => (Fact: fact, Test: $"`{test.Class}.{test.Method}`")))
            .Where(named => named.Fact is < 1 or > FactCount || !Rows[named.Fact - 1].Cells[2].Contains(named.Test, StringComparison.Ordinal));

        Assert.Empty(missing);
    }

    [Theory]
    [InlineData("Fact7_Value_IsRefused", new[] { 7 })]
    [InlineData("Fact07_Value_IsRefused", new[] { 7 })]
    [InlineData("Facts34To36_Object_IsComplete", new[] { 34, 35, 36 })]
    [InlineData("Facts54And59_Error_IsTold", new[] { 54, 59 })]
    [InlineData("Facts_OfAll_AreTrue", new int[0])]
    public void FactsOf_EachForm_AreRead(string method, int[] facts) => Assert.Equal(facts, FactsOf(method));

    [Fact]
    public void TestsIn_Source_AreThoseWithTheAttribute() => Assert.Equal(
        [("A", "One"), ("A", "Two"), ("B", "Three")],
        TestsIn("class A\n{\n    [Fact]\n    public void One()\n    [Theory]\n    [InlineData(\"x\")]\n    public async Task Two(int a)\n    public void No()\n}\nclass B : C\n{\n    [Fact]\n    public void Three() =>\n}"));

    private static IEnumerable<int> FactsOf(string method)
    {
        if (Numbers().Match(method) is not { Success: true } match)
        {
            return [];
        }

        var first = int.Parse(match.Groups["first"].Value, CultureInfo.InvariantCulture);
        if (!match.Groups["last"].Success)
        {
            return [first];
        }

        var last = int.Parse(match.Groups["last"].Value, CultureInfo.InvariantCulture);
        return match.Groups["word"].Value == "To" ? Enumerable.Range(first, last - first + 1) : [first, last];
    }

    /// <summary>The test methods of a source file with the class they are in.</summary>
    private static IEnumerable<(string Class, string Method)> TestsIn(string source)
    {
        var type = string.Empty;
        foreach (Match match in Declaration().Matches(source))
        {
            if (match.Groups["class"].Success)
            {
                type = match.Groups["class"].Value;
            }
            else
            {
                yield return (type, match.Groups["method"].Value);
            }
        }
    }

    [GeneratedRegex(@"`(?<class>\w+)\.(?<method>\w+)`")]
    private static partial Regex Named();

    [GeneratedRegex(@"^Facts?(?<first>\d+)((?<word>To|And)(?<last>\d+))?_")]
    private static partial Regex Numbers();

    /// <summary>A class, or a method with <c>[Fact]</c> or <c>[Theory]</c> and any further attributes before it.</summary>
    [GeneratedRegex(@"^\s*((public|internal|private|sealed|abstract|static|partial) )*class (?<class>\w+)|^\s*\[(Fact|Theory)[^\n]*\n(\s*\[[^\n]*\n)*\s*public (async )?(Task|void|ValueTask) (?<method>\w+)\(", RegexOptions.Multiline)]
    private static partial Regex Declaration();
}
