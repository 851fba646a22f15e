using System.Reflection;
using System.Text;
using Gateway.Telemetry;

namespace Gateway.Hosting;

/// <summary>The block that is printed once after the start: where the gateway listens, what it uses, and a line to try it.</summary>
internal static class StartupBanner
{
    private const int LabelWidth = 11;

    /// <param name="addresses">What the server listens on.</param>
    /// <param name="texts">What the features say, in order.</param>
    /// <param name="requiresKey">The example must send a key.</param>
    public static string Render(IReadOnlyCollection<string> addresses, IReadOnlyCollection<StartupText> texts, bool requiresKey)
    {
        var block = new StringBuilder();
        block.AppendLine().Append("Responses gateway ").AppendLine(Version());
        AppendLines(block, "address", addresses);
        foreach (var text in texts)
        {
            AppendLines(block, text.Label, text.Lines);
        }

        foreach (var warning in texts.SelectMany(text => text.Warnings))
        {
            AppendLines(block, "warning", [warning]);
        }

        if (addresses.FirstOrDefault() is { } address && texts.FirstOrDefault(text => text.Model is not null)?.Model is { } model)
        {
            AppendLines(block, "try", [Example(address, model, requiresKey)]);
        }

        return block.AppendLine().ToString();
    }

    private static string Example(string address, string model, bool requiresKey)
    {
        // What listens on every address is reached on this machine by its name.
        var url = address.Replace("//[::]", "//localhost", StringComparison.Ordinal).Replace("//0.0.0.0", "//localhost", StringComparison.Ordinal);
        var key = requiresKey ? """ -H "Authorization: Bearer $GATEWAY_API_KEY" """.TrimEnd() : string.Empty;
        return $$"""curl {{url}}/v1/responses{{key}} -H 'Content-Type: application/json' -d '{"model":"{{model}}","input":"Hello"}'""";
    }

    private static void AppendLines(StringBuilder block, string label, IEnumerable<string> lines)
    {
        foreach (var line in lines)
        {
            block.Append("  ").Append(label.PadRight(LabelWidth)).AppendLine(line);
            label = string.Empty;
        }
    }

    private static string Version()
    {
        var version = typeof(StartupBanner).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? string.Empty;
        // The build appends the commit's hash behind a plus sign.
        var plus = version.IndexOf('+', StringComparison.Ordinal);
        return plus < 0 ? version : version[..plus];
    }
}
