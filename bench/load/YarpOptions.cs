namespace Gateway.Load;

/// <summary>Where the yardstick listens and sends to.</summary>
/// <param name="Port">Where it listens on 127.0.0.1.</param>
/// <param name="Destination">Base address of the mock.</param>
internal sealed record YarpOptions(int Port, string Destination)
{
    /// <summary>Null when the help was wanted.</summary>
    public static YarpOptions? Read(string[] args)
    {
        var line = new CommandLine(args);
        var options = new YarpOptions(
            line.Number("--port", 20_101, 1, 32_767, "port on 127.0.0.1"),
            line.Text("--destination", "base address of the server behind it (default http://127.0.0.1:20100)") ?? "http://127.0.0.1:20100");
        return line.Complete() ? options : null;
    }

    public IReadOnlyList<string> ToArguments() => ["--port", $"{Port}", "--destination", Destination];
}
