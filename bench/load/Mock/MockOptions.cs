namespace Gateway.Load.Mock;

/// <summary>What the mock answers.</summary>
/// <param name="Port">Where it listens on 127.0.0.1.</param>
/// <param name="TextBytes">Length of the text of a JSON answer.</param>
/// <param name="Deltas">Text chunks of a burst.</param>
/// <param name="PacedDeltas">Text chunks of a paced stream.</param>
/// <param name="Interval">Time between two chunks of a paced stream.</param>
/// <param name="ModelWait">How long <see cref="WaitingModel.Waits"/> takes for a round.</param>
/// <param name="ToolWait">How long it asks its tool to take.</param>
internal sealed record MockOptions(int Port, int TextBytes, int Deltas, int PacedDeltas, TimeSpan Interval, TimeSpan ModelWait, TimeSpan ToolWait)
{
    /// <summary>Null when the help was wanted.</summary>
    public static MockOptions? Read(string[] args)
    {
        var line = new CommandLine(args);
        var options = new MockOptions(
            line.Number("--port", 20_100, 1, 32_767, "port on 127.0.0.1"),
            line.Number("--text-bytes", 500, 1, 100_000, "bytes of text in a JSON answer"),
            line.Number("--deltas", 200, 1, 100_000, "text chunks of a burst"),
            line.Number("--paced-deltas", 50, 1, 10_000, "text chunks of a paced stream"),
            TimeSpan.FromMilliseconds(line.Number("--interval", 20, 1, 10_000, "milliseconds between two chunks of a paced stream")),
            TimeSpan.FromMilliseconds(line.Number("--model-wait", 20, 0, 10_000, "milliseconds that the model mock-waits takes for a round")),
            TimeSpan.FromMilliseconds(line.Number("--tool-wait", 10, 0, 10_000, "milliseconds that it asks its tool to take")));
        return line.Complete() ? options : null;
    }

    public IReadOnlyList<string> ToArguments() =>
    [
        "--port", $"{Port}", "--text-bytes", $"{TextBytes}", "--deltas", $"{Deltas}", "--paced-deltas", $"{PacedDeltas}",
        "--interval", $"{(int)Interval.TotalMilliseconds}", "--model-wait", $"{(int)ModelWait.TotalMilliseconds}",
        "--tool-wait", $"{(int)ToolWait.TotalMilliseconds}",
    ];
}
