using System.Text.Json;
using System.Text.RegularExpressions;

namespace Deploy.Tests;

/// <summary>A container file, as far as the rules for it need it.</summary>
internal sealed partial class ContainerFile
{
    private readonly List<(string Name, string Arguments)> _instructions = [];

    public ContainerFile(string path)
    {
        var lines = Repository.Read(path).Split('\n').Where(line => !line.TrimStart().StartsWith('#'));
        foreach (var line in string.Join('\n', lines).Replace("\\\n", " ", StringComparison.Ordinal).Split('\n').Select(line => line.Trim()).Where(line => line.Length > 0))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            _instructions.Add((line[..space], Spaces().Replace(line[space..].Trim(), " ")));
        }
    }

    public IReadOnlyList<(string Name, string Arguments)> Instructions => _instructions;

    /// <summary>The stage that becomes the image.</summary>
    public IEnumerable<(string Name, string Arguments)> Final => _instructions.Skip(_instructions.FindLastIndex(instruction => instruction.Name == "FROM"));

    public IEnumerable<string> EntryPoint => JsonSerializer.Deserialize<string[]>(Of(Final, "ENTRYPOINT").Single())!;

    /// <summary>The command that asks how the container is, without its options; empty where there is none.</summary>
    public IEnumerable<string> HealthCheck => Of(Final, "HEALTHCHECK").SingleOrDefault() is { } check ? JsonSerializer.Deserialize<string[]>(check[(check.IndexOf("CMD ", StringComparison.Ordinal) + 4)..])! : [];

    /// <summary>The variables that the image sets.</summary>
    public IEnumerable<(string Name, string Value)> Environment => Of(Final, "ENV")
        .SelectMany(line => Assignment().Matches(line))
        .Select(match => (match.Groups["name"].Value, match.Groups["value"].Value.Trim('"')));

    /// <summary>What is copied from the folder that the image is built in.</summary>
    public IEnumerable<string> Sources => Of(_instructions, "COPY").Where(line => !line.Contains("--from=", StringComparison.Ordinal))
        .SelectMany(line => line.Split(' ').Where(word => !word.StartsWith("--", StringComparison.Ordinal)).SkipLast(1));

    public static IEnumerable<string> Of(IEnumerable<(string Name, string Arguments)> instructions, string name) =>
        instructions.Where(instruction => instruction.Name == name).Select(instruction => instruction.Arguments);

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    [GeneratedRegex(@"(?<name>\w+)=(?<value>""[^""]*""|\S+)")]
    private static partial Regex Assignment();
}
