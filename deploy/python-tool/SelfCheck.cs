using System.Text.Json;

namespace PythonTool;

/// <summary>Sees before the server serves that a sandbox can be made here, and that its walls stand.</summary>
internal static class SelfCheck
{
    /// <exception cref="StartupException">It can not, or they do not.</exception>
    public static async Task RunAsync(ProcessStarter starter, PythonToolOptions options, CancellationToken cancellationToken)
    {
        await using var sandbox = await Sandbox.StartAsync(starter, options, TimeProvider.System, cancellationToken);
        List<string> hidden = ["/etc/passwd", "/etc/shadow", "/root", "/home", "/var", "/run", "/sys", AppContext.BaseDirectory];
        hidden.RemoveAll(path => options.ReadOnlyPaths.Any(shown => shown.StartsWith(path, StringComparison.Ordinal)));
        var prelude = $"HIDDEN = {JsonSerializer.Serialize(hidden, RunnerJson.Default.ListString)}\nPROCESSES = {options.Processes}\n";
        var result = await sandbox.RunAsync(prelude + Scripts.SelfCheck, cancellationToken);
        if (result is not { Status: CallStatus.Ok, Result: "[]" })
        {
            throw new StartupException($"The sandbox does not hold: {result.Result ?? result.Reason ?? result.Stderr}");
        }
    }
}
