namespace PythonTool;

/// <summary>The Python files that the server runs in sandboxes.</summary>
internal static class Scripts
{
    public static string Runner { get; } = Read("runner.py");

    public static string SelfCheck { get; } = Read("self_check.py");

    private static string Read(string name)
    {
        using var reader = new StreamReader(typeof(Scripts).Assembly.GetManifestResourceStream(name)!);
        return reader.ReadToEnd();
    }
}
