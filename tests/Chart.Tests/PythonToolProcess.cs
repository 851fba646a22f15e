using System.Diagnostics;
using System.Text.RegularExpressions;

namespace Chart.Tests;

/// <summary>The Python tool with the environment that the chart gives it, on a free port of loopback.</summary>
internal sealed partial class PythonToolProcess : IAsyncDisposable
{
    private readonly MountedPod _pod;
    private readonly Process _process;

    private PythonToolProcess(MountedPod pod, Process process, string endpoint) => (_pod, _process, Endpoint) = (pod, process, endpoint);

    /// <summary>The URL of MCP.</summary>
    public string Endpoint { get; }

    /// <exception cref="InvalidOperationException">It ended before it served: a key that it does not know, for example.</exception>
    public static async Task<PythonToolProcess> StartAsync(Manifests manifests)
    {
        var deployment = manifests.One("Deployment", "-python-tool");
        var pod = new MountedPod(manifests, deployment, null, ("http://0.0.0.0:8765", "http://127.0.0.1:0"));
        // Built beside this project, in the same configuration.
        var build = Path.GetRelativePath(Path.Combine(Folders.Root, "tests", "Chart.Tests"), AppContext.BaseDirectory);
        var start = pod.Start(Path.Combine(Folders.Root, "deploy", "python-tool", build, "python-tool.dll"), Folders.Root);
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (Serving().Match(line) is { Success: true } match)
            {
                _ = process.StandardOutput.BaseStream.CopyToAsync(Stream.Null);
                return new PythonToolProcess(pod, process, match.Groups[1].Value);
            }
        }

        pod.Dispose();
        throw new InvalidOperationException(await error);
    }

    public async ValueTask DisposeAsync()
    {
        _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _pod.Dispose();
    }

    [GeneratedRegex(@"Serving MCP at (http://\S+/mcp)")]
    private static partial Regex Serving();
}
