using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Gateway.FunctionalTests.Sdk;

/// <summary>A script of the folder <c>js</c>, run by node: it prints a line for each of its cases.</summary>
internal static class NodeScript
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    /// <summary>Runs the script, and fails unless it has just so many cases and every one passed.</summary>
    public static async Task RunAsync(string script, int cases, IEnumerable<string> arguments, ITestOutputHelper output, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("node", [script, .. arguments])
        {
            WorkingDirectory = Path.Combine(SourceFolder(), "..", "js"),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var node = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        string[] lines;
        string errors;
        try
        {
            var told = node.StandardOutput.ReadToEndAsync(limit.Token);
            var complained = node.StandardError.ReadToEndAsync(limit.Token);
            lines = (await told).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            errors = await complained;
            await node.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!node.HasExited)
            {
                node.Kill(entireProcessTree: true);
            }
        }

        foreach (var line in lines)
        {
            output.WriteLine(line);
        }

        Assert.True(node.ExitCode == 0, errors);
        Assert.All(lines, line => Assert.StartsWith("ok ", line, StringComparison.Ordinal));
        Assert.Equal(cases, lines.Length);
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
