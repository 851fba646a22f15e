namespace Gateway.Load.Mock;

/// <summary>Where the tool server listens.</summary>
/// <param name="Port">On 127.0.0.1.</param>
internal sealed record ToolServerOptions(int Port)
{
    /// <summary>Null when the help was wanted.</summary>
    public static ToolServerOptions? Read(string[] args)
    {
        var line = new CommandLine(args);
        var options = new ToolServerOptions(line.Number("--port", 20_102, 1, 32_767, "port on 127.0.0.1"));
        return line.Complete() ? options : null;
    }

    public IReadOnlyList<string> ToArguments() => ["--port", $"{Port}"];
}
