using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;

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
        foreach (var (i, source) in sources.Index().Where(s => s.Item is JsonConfigurationSource).ToList())
        {
            var hosts = (JsonConfigurationSource)source;
            var folder = (hosts.FileProvider as PhysicalFileProvider)?.Root ?? contentRoot;
            // All of them with the host's one watcher.
            sources[i] = new SettingsFile(Path.Combine(folder, hosts.Path!), hosts.Optional, hosts.ReloadOnChange, hosts.FileProvider);
        }

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
