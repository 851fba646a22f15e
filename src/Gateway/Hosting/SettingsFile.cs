using System.Globalization;
using System.Text.Json;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;

namespace Gateway.Hosting;

/// <summary>
/// A JSON file of settings, anywhere, that is watched for changes. The framework's own source would leave the watcher open when the
/// configuration is disposed of, and a machine has few of them (128 by default on Linux). It would also forget all settings of a file that
/// is changed into what can not be read, without a word; here the last good ones stay.
/// </summary>
/// <param name="file">The file's whole path.</param>
/// <param name="optional">It may be missing.</param>
/// <param name="watch">Changes are taken up.</param>
/// <param name="shared">What watches the file's folder for others too, and is not this source's to dispose of. Default: a watcher of its own.</param>
internal sealed class SettingsFile(string file, bool optional, bool watch = true, IFileProvider? shared = null) : JsonConfigurationSource
{
    private volatile string? _refusal;

    /// <summary>The file's whole path.</summary>
    public string File => file;

    /// <summary>Why what the file says now is not in force; null when it is.</summary>
    public string? Refusal => _refusal;

    /// <summary>What is wrong with a file, without its text: there may be secrets in it.</summary>
    public static string Reason(FormatException exception) => exception.InnerException is JsonException json
        ? string.Create(CultureInfo.InvariantCulture, $"It is no JSON from line {json.LineNumber + 1}, byte {json.BytePositionInLine + 1} on.")
        : exception.Message;

    public override IConfigurationProvider Build(IConfigurationBuilder builder)
    {
        // Built anew whenever a source is added, after the earlier provider was disposed of.
        var own = shared is null ? new PhysicalFileProvider(System.IO.Path.GetDirectoryName(file) ?? "/") : null;
        FileProvider = shared ?? own;
        Path = System.IO.Path.GetFileName(file);
        Optional = optional;
        ReloadOnChange = watch;
        EnsureDefaults(builder);
        return new Provider(this, own);
    }

    private sealed class Provider(SettingsFile source, PhysicalFileProvider? own) : JsonConfigurationProvider(source)
    {
        private bool _isLoaded;

        public override void Load(Stream stream)
        {
            try
            {
                base.Load(stream);
                (source._refusal, _isLoaded) = (null, true);
            }
            catch (FormatException e) when (_isLoaded)
            {
                source._refusal = Reason(e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            base.Dispose(disposing);
            own?.Dispose();
        }
    }
}
