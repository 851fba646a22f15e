using System.Text.RegularExpressions;
using Gateway.Tests.Documents;

namespace Gateway.Tests.Hosting;

/// <summary>The folders of src/Gateway use each other in one direction only (CONTRIBUTING.md).</summary>
public sealed partial class LayeringTests
{
    // "Hosting" itself may use what it hosts; GatewayApplication, which puts everything together, is looked at on its own below.
    private static readonly Dictionary<string, string[]> Allowed = new()
    {
        ["Admin"] = ["Hosting", "Upstream", "Policy", "Store", "Telemetry", "Protocol"],
        // A response is made as a run when it must outlive its client, and a run makes a response: the two are one feature in two folders.
        ["Runs"] = ["Responses", "Policy", "Conversations", "Tools", "Store", "Telemetry", "Protocol"],
        ["Responses"] = ["Runs", "Policy", "Conversations", "Tools", "Egress", "Store", "Telemetry", "Protocol"],
        ["Tools"] = ["Upstream", "Egress", "Telemetry", "Protocol"],
        ["Egress"] = ["Policy", "Telemetry", "Protocol"],
        ["Conversations"] = ["Policy", "Store", "Telemetry", "Protocol"],
        ["Policy"] = ["Telemetry", "Protocol"],
        ["Upstream"] = ["Telemetry", "Protocol"],
        ["Store"] = ["Telemetry", "Protocol"],
        ["Telemetry"] = [],
        // A client: it knows the gateway by what it answers.
        ["Check"] = ["Protocol"],
        ["Hosting"] = ["Policy", "Telemetry", "Protocol"],
    };

    private static readonly string[] Composition = ["Program.cs", Path.Combine("Hosting", "GatewayApplication.cs")];

    [Fact]
    public void Usings_OfEveryFolder_PointInTheAllowedDirection()
    {
        var root = Path.Combine(SourceRoot(), "Gateway");
        List<string> wrong = [];
        foreach (var file in Sources(root))
        {
            var relative = Path.GetRelativePath(root, file);
            if (Composition.Contains(relative))
            {
                continue;
            }

            var folder = relative.Split(Path.DirectorySeparatorChar)[0];
            if (!Allowed.TryGetValue(folder, out var allowed))
            {
                wrong.Add($"{relative}: the folder '{folder}' has no place in the table of allowed directions.");
                continue;
            }

            wrong.AddRange(UsingLine().Matches(File.ReadAllText(file))
                .Select(match => match.Groups["folder"].Value)
                .Where(used => used != folder && !allowed.Contains(used))
                .Select(used => $"{relative}: {folder} must not use {used}."));
        }

        Assert.Empty(wrong);
    }

    [Fact]
    public void Usings_OfProtocol_StayWithinIt()
    {
        var wrong = Sources(Path.Combine(SourceRoot(), "Gateway.Protocol"))
            .Where(file => ForeignUsing().IsMatch(File.ReadAllText(file)));

        Assert.Empty(wrong);
    }

    [Fact]
    public void Usings_OfSseFraming_AreNoneOfOurs()
    {
        var folder = Path.Combine(SourceRoot(), "Gateway.Protocol", "Sse");
        var files = Directory.Exists(folder) ? Sources(folder) : [];

        Assert.DoesNotContain(files, file => File.ReadAllText(file).Contains("using Gateway", StringComparison.Ordinal));
    }

    [Fact]
    public void DialectWord_InCode_IsInItsFolderAndTheRouteMappingOnly()
    {
        var routes = Path.Combine("Gateway", "Responses", "ResponsesEndpoints.cs");
        var wrong = Sources(SourceRoot())
            .Where(file => File.ReadAllText(file).Contains("fireworks", StringComparison.OrdinalIgnoreCase))
            .Select(file => Path.GetRelativePath(SourceRoot(), file))
            .Where(file => file != routes && !file.Split(Path.DirectorySeparatorChar).Contains("Fireworks"));

        Assert.Empty(wrong);
    }

    [Theory]
    [InlineData("using Gateway.Store;", "Store")]
    [InlineData("using Gateway.Store.Redis;", "Store")]
    [InlineData("using static Gateway.Store.ResponseId;", "Store")]
    [InlineData("using Chain = Gateway.Store.Chain;", "Store")]
    [InlineData("global using Gateway.Protocol.Responses;", "Protocol")]
    [InlineData("using System.Text;", null)]
    public void UsingLine_EachForm_IsRead(string line, string? folder)
    {
        var match = UsingLine().Match(line);

        Assert.Equal(folder, match.Success ? match.Groups["folder"].Value : null);
    }

    private static IReadOnlyList<string> Sources(string folder) =>
        [.. Directory.EnumerateFiles(folder, "*.cs", SearchOption.AllDirectories)
            .Where(file => !file.Split(Path.DirectorySeparatorChar).Any(part => part is "obj" or "bin"))];

    private static string SourceRoot() => Path.Combine(Repository.Root, "src");

    [GeneratedRegex(@"^(global )?using (static )?(\w+ = )?Gateway\.(?<folder>\w+)", RegexOptions.Multiline)]
    private static partial Regex UsingLine();

    [GeneratedRegex(@"^using (static )?(\w+ = )?(Gateway\.(?!Protocol)|Microsoft\.(AspNetCore|Extensions)|StackExchange|Yarp)", RegexOptions.Multiline)]
    private static partial Regex ForeignUsing();
}
