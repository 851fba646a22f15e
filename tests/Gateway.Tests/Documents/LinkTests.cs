using System.Text.RegularExpressions;

namespace Gateway.Tests.Documents;

/// <summary>Links between the documents lead somewhere.</summary>
public sealed partial class LinkTests
{
    public static TheoryData<string> Documents => [.. Repository.Files("*.md")];

    [Theory]
    [MemberData(nameof(Documents))]
    public void RelativeLinks_OfEveryDocument_Resolve(string document)
    {
        var folder = Path.GetDirectoryName(Path.Combine(Repository.Root, document))!;

        var broken = Targets(Repository.Read(document))
            .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith("mailto:", StringComparison.Ordinal))
            .Where(target => !Resolves(Path.Combine(Repository.Root, document), folder, target));

        Assert.Empty(broken);
    }

    [Theory]
    [InlineData("## Gateway:Tenants:&lt;tenant&gt; (live)", "gatewaytenantslttenantgt-live")]
    [InlineData("# The path of a request", "the-path-of-a-request")]
    [InlineData("### `text.format`", "textformat")]
    [InlineData("## tool_choice", "tool_choice")]
    [InlineData("## Build [and](x.md) test", "build-and-test")]
    public void Anchor_OfAHeading_IsThatOfTheRenderedPage(string heading, string anchor) => Assert.Equal([anchor], Anchors(heading));

    [Fact]
    public void Targets_InCode_AreNone() => Assert.Equal(["b.md"], Targets("`[a](a.md)` and [b](b.md)\n\n    [c](c.md)\n\n```\n[d](d.md)\n```\n"));

    private static bool Resolves(string document, string folder, string target)
    {
        var (path, anchor) = target.Split('#', 2) is [var left, var right] ? (left, right) : (target, null);
        var file = path.Length == 0 ? document : Path.GetFullPath(Path.Combine(folder, path));
        return Directory.Exists(file) ? anchor is null : File.Exists(file) && (anchor is null || Anchors(File.ReadAllText(file)).Contains(anchor));
    }

    private static IEnumerable<string> Targets(string markdown) =>
        Link().Matches(Code().Replace(markdown, "code")).Select(match => match.Groups["target"].Value);

    /// <summary>The anchors that GitHub gives a page's headings; of equal ones only the first is of use.</summary>
    private static IEnumerable<string> Anchors(string markdown) => Heading().Matches(Fence().Replace(markdown, string.Empty))
        .Select(match => LinkText().Replace(match.Groups["text"].Value, "${text}").Trim().ToLowerInvariant().Replace(' ', '-'))
        .Select(text => string.Concat(text.Where(c => char.IsLetterOrDigit(c) || c is '-' or '_')));

    [GeneratedRegex(@"(?<!\!)\[[^\]\n]*\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"\[(?<text>[^\]]*)\]\([^)]*\)")]
    private static partial Regex LinkText();

    [GeneratedRegex(@"^#{1,6} (?<text>.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"^```.*?^```", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"^```.*?^```|^(    |\t)[^\n]*|`[^`\n]+`", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Code();
}
