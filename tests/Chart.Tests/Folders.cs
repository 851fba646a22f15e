using System.Runtime.CompilerServices;

namespace Chart.Tests;

/// <summary>Where things are in the repository that this test was built from.</summary>
internal static class Folders
{
    public static string Root { get; } = FindRoot();

    public static string Chart { get; } = Path.Combine(Root, "helm", "responses-gateway");

    /// <summary>What npm has installed for these tests.</summary>
    public static string Node { get; } = Path.Combine(Root, "tests", "Chart.Tests", "js");

    public static string Cache { get; } = Path.Combine(Root, ".cache");

    public static string ReadChart(string path) => File.ReadAllText(Path.Combine(Chart, path));

    private static string FindRoot([CallerFilePath] string here = "") =>
        Path.GetFullPath(Path.Combine(Path.GetDirectoryName(here) ?? string.Empty, "..", ".."));
}
