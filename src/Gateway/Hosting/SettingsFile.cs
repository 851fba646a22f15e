using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;

namespace Gateway.Hosting;

/// <summary>
/// A JSON file of settings, anywhere, that is watched for changes. The framework's own source would leave the watcher open when the
/// configuration is disposed of, and a machine has few of them (128 by default on Linux).
/// </summary>
/// <param name="file">The file's whole path.</param>
/// <param name="optional">It may be missing.</param>
internal sealed class SettingsFile(string file, bool optional) : JsonConfigurationSource
{
    public override IConfigurationProvider Build(IConfigurationBuilder builder)
    {
        // Built anew whenever a source is added, after the earlier provider was disposed of.
        FileProvider = new PhysicalFileProvider(System.IO.Path.GetDirectoryName(file) ?? "/");
        Path = System.IO.Path.GetFileName(file);
        Optional = optional;
        ReloadOnChange = true;
        EnsureDefaults(builder);
        return new Provider(this, FileProvider);
    }

    private sealed class Provider(SettingsFile source, IFileProvider files) : JsonConfigurationProvider(source)
    {
        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            (files as IDisposable)?.Dispose();
        }
    }
}
