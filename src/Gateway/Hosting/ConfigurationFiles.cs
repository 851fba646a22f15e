using Microsoft.Extensions.Configuration.Json;

namespace Gateway.Hosting;

/// <summary>
/// Where settings come from, the later winning: appsettings.json next to the executable (the shipped defaults), appsettings.json of the
/// working directory, the file named by <c>--config</c>, environment variables, the command line.
/// </summary>
internal static class ConfigurationFiles
{
    /// <summary>The key of the extra file: <c>--config FILE</c>, or the environment variable <c>config</c>.</summary>
    public const string FileKey = "config";

    /// <exception cref="StartupException">The named file does not exist.</exception>
    public static void AddGatewayFiles(this ConfigurationManager configuration, string contentRoot)
    {
        // The host has put the files of the working directory in front of environment and command line already.
        var sources = ((IConfigurationBuilder)configuration).Sources;
        var first = sources.Select((source, i) => (source, i)).First(s => s.source is JsonConfigurationSource).i;
        var last = sources.Select((source, i) => (source, i)).Last(s => s.source is JsonConfigurationSource).i;
        if (configuration[FileKey] is { Length: > 0 } file)
        {
            sources.Insert(last + 1, NamedFile(Path.GetFullPath(file, contentRoot), file));
        }

        if (!string.Equals(Path.TrimEndingDirectorySeparator(contentRoot), Path.TrimEndingDirectorySeparator(AppContext.BaseDirectory), StringComparison.Ordinal))
        {
            sources.Insert(first, new SettingsFile(Path.Combine(AppContext.BaseDirectory, "appsettings.json"), optional: true));
        }
    }

    private static SettingsFile NamedFile(string path, string asGiven) =>
        File.Exists(path) ? new SettingsFile(path, optional: false) : throw new StartupException($"{FileKey} is '{asGiven}': there is no such file.");
}
