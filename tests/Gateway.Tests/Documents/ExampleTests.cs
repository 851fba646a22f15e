using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Protocol.Responses;

namespace Gateway.Tests.Documents;

/// <summary>What the documents show as JSON is JSON, and what they show as a request is one.</summary>
public sealed partial class ExampleTests
{
    public static TheoryData<string> Documents => [.. Repository.Files("*.md")];

    [Theory]
    [MemberData(nameof(Documents))]
    public void JsonBlocks_OfEveryDocument_Parse(string document)
    {
        foreach (var json in JsonBlocks(Repository.Read(document)))
        {
            using var parsed = JsonDocument.Parse(json);
        }
    }

    [Fact]
    public void Requests_OfTheReadme_AreTaken()
    {
        var bodies = Request().Matches(Repository.Read("README.md")).Select(match => match.Groups["body"].Value.Replace("…", "x", StringComparison.Ordinal)).ToArray();

        Assert.NotEmpty(bodies);
        Assert.All(bodies, body => Assert.Null(RequestParser.Parse(Encoding.UTF8.GetBytes(body), RequestRules.Default, out _)));
    }

    [Fact]
    public void JsonBlocks_FencedAndIndented_AreFound() =>
        Assert.Equal(["{\n\"a\":1}\n", "{\"b\":2}"], JsonBlocks("```json\n{\n\"a\":1}\n```\n\n    {\"b\":2}\n\n    { not json\n"));

    private static IEnumerable<string> JsonBlocks(string markdown) =>
        Block().Matches(markdown).Select(match => match.Groups["json"].Value);

    [GeneratedRegex(@"^```json\n(?<json>.*?)^```|^    (?<json>\{""[^\n]*\})$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Block();

    [GeneratedRegex(@"/v1/responses\b.*?-d '(?<body>[^']+)'", RegexOptions.Singleline)]
    private static partial Regex Request();
}
