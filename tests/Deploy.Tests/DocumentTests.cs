using System.Text.RegularExpressions;

namespace Deploy.Tests;

/// <summary>What the documents tell operators is so.</summary>
public sealed partial class DocumentTests
{
    /// <summary>Every code that an error of the gateway's own has in the sources.</summary>
    private static readonly IReadOnlyList<string> Codes = [.. Repository.Files("*.cs", "src").SelectMany(file => CodesIn(Repository.Read(file))).Distinct().Order()];

    [Fact]
    public void EveryErrorCode_IsInTheTableOfTroubles()
    {
        var told = MarkdownTable.Rows(Repository.Read("docs/operations.md")).Where(row => row.Heading == "Troubleshooting by error code")
            .SelectMany(row => Code().Matches(row.Cells[0]).Select(match => match.Groups["text"].Value)).ToArray();

        Assert.InRange(Codes.Count, 40, 200);
        Assert.Equal(Codes, told.Order());
    }

    [Theory]
    [InlineData("ApiError.Invalid(\n  \"one_code\", \"param\", \"…\")", "one_code")]
    [InlineData("new ApiError(426, ApiError.InvalidRequestType, \"two_code\", null, \"…\")", "two_code")]
    [InlineData("=> new(\n 409, InvalidRequestType, \"three_code\", \"x\", \"…\")", "three_code")]
    [InlineData("new(424, \"external_connector_error\", \"http_error\", \"tools\",", "http_error")]
    [InlineData("new(StatusCodes.Status404NotFound, ServerErrorType, \"four_code\", null,", "four_code")]
    public void CodesIn_EachForm_AreFound(string source, string code) => Assert.Equal([code], CodesIn(source));

    [Fact]
    public void FilesThatDocumentsName_AreThere()
    {
        string[] documents = ["docs/install.md", "docs/clients.md", "docs/operations.md", "deploy/README.md", "README.md"];
        var named = documents.SelectMany(document => File().Matches(Repository.Read(document)).Select(match => match.Value.TrimEnd('.'))).Distinct().ToArray();

        Assert.Contains("deploy/up.sh", named);
        // The keys are made by the first start.
        Assert.All(named.Except(["deploy/.env"]), name => Assert.True(Path.Exists(Path.Combine(Repository.Root, name)), name));
    }

    private static IEnumerable<string> CodesIn(string source) => Error().Matches(source).Select(match => match.Groups["code"].Value);

    [GeneratedRegex(@"\bInvalid\(\s*""(?<code>\w+)""|\bnew(?: ApiError)?\(\s*(?:\d{3}|StatusCodes\.\w+|e\.StatusCode),\s*[\w.""]+,\s*""(?<code>\w+)""")]
    private static partial Regex Error();

    [GeneratedRegex("`(?<text>[a-z_]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"(?<![\w/.])(deploy|docs|helm|src|bench|tests)/[\w./-]*\w")]
    private static partial Regex File();
}
