using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>Whatever the code knows by name has its row in <c>docs/compatibility.md</c>.</summary>
public sealed partial class CompatibilityTests
{
    private static readonly string Root = FindRoot();

    /// <summary>Everything that stands in backquotes.</summary>
    private static readonly HashSet<string> Named =
        [.. Code().Matches(File.ReadAllText(Path.Combine(Root, "docs", "compatibility.md"))).Select(match => match.Groups["text"].Value)];

    [Fact]
    public void RequestMembers_OfTheParser_AreInThePage() => AssertNamed(RequestFields.Known);

    [Fact]
    public void IncludeValues_OfTheParser_AreInThePage() => AssertNamed(RequestFields.IncludeValues.Keys);

    [Fact]
    public void ItemTypes_OfTheTable_AreInThePage() =>
        AssertNamed(Enum.GetValues<ItemKind>().Select(kind => ItemTable.Row(kind).Type).Where(type => type.Length > 0));

    [Fact]
    public void HostedTools_OfTheParser_AreInThePage() => AssertNamed(ToolParser.HostedTypes);

    [Fact]
    public void EventTypes_InTheCode_AreInThePage() => AssertNamed(Sources().SelectMany(source => Event().Matches(source)).Select(match => match.Groups["type"].Value).Distinct());

    [Fact]
    public void ErrorCodes_InTheCode_AreInThePage() => AssertNamed(Sources().SelectMany(source => Error().Matches(source)).Select(match => match.Groups["code"].Value).Distinct());

    private static void AssertNamed(IEnumerable<string> names)
    {
        var all = names.ToArray();
        Assert.NotEmpty(all);
        Assert.DoesNotContain(all, name => !Named.Any(text => text == name || text.StartsWith(name + ".", StringComparison.Ordinal)));
    }

    private static IEnumerable<string> Sources() => Directory.EnumerateFiles(Path.Combine(Root, "src"), "*.cs", SearchOption.AllDirectories)
        .Where(file => !file.Split(Path.DirectorySeparatorChar).Contains("obj"))
        .Select(File.ReadAllText);

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here) ?? string.Empty, "..", "..", ".."));

    [GeneratedRegex("`(?<text>[^`]+)`")]
    private static partial Regex Code();

    [GeneratedRegex("\"(?<type>response\\.[a-z_]+(\\.[a-z_]+)*)\"u8")]
    private static partial Regex Event();

    /// <summary>The code of an error that is made by one of the two ways there are.</summary>
    [GeneratedRegex("(ApiError\\.|\\b)Invalid\\(\\s*\"(?<code>[a-z_]+)\"|(new|ApiError)\\(\\d+, (ApiError\\.)?\\w+Type, \"(?<code>[a-z_]+)\"")]
    private static partial Regex Error();
}
