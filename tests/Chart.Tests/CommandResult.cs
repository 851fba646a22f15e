namespace Chart.Tests;

/// <summary>What a program left behind.</summary>
internal sealed record CommandResult(int ExitCode, string Output, string Error)
{
    /// <exception cref="InvalidOperationException">It failed. The message is what it said.</exception>
    public string OutputOfSuccess() => ExitCode == 0 ? Output : throw new InvalidOperationException($"Exit code {ExitCode}:\n{Error}\n{Output}");
}
