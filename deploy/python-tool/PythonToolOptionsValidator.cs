using System.Globalization;
using System.Net;
using Microsoft.Extensions.Options;

namespace PythonTool;

internal sealed class PythonToolOptionsValidator : IValidateOptions<PythonToolOptions>
{
    private const long KiB = 1024;
    private const long MiB = 1024 * KiB;
    private const long TiB = 1024 * 1024 * MiB;

    public ValidateOptionsResult Validate(string? name, PythonToolOptions options)
    {
        List<string> failures = [];
        CheckAddress(options, failures);
        if (options.Key.AsSpan().ContainsAny(' ', '\t'))
        {
            failures.Add($"{PythonToolOptions.Section}:{nameof(options.Key)} has white space in it, which a client can not send.");
        }

        CheckFile(nameof(options.Bubblewrap), options.Bubblewrap, failures);
        CheckFile(nameof(options.Python), options.Python, failures);
        for (var i = 0; i < options.ReadOnlyPaths.Count; i++)
        {
            CheckPath($"{nameof(options.ReadOnlyPaths)}:{i}", options.ReadOnlyPaths[i], Path.Exists(options.ReadOnlyPaths[i]), failures);
        }

        if (string.IsNullOrWhiteSpace(options.User) || options.User is "root")
        {
            failures.Add($"{PythonToolOptions.Section}:{nameof(options.User)} is '{options.User}': it must be a user other than root.");
        }

        Check(nameof(options.Sandboxes), options.Sandboxes, 1, 1000, failures);
        Check(nameof(options.SessionIdle), options.SessionIdle, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check(nameof(options.CallTime), options.CallTime, TimeSpan.FromSeconds(1), TimeSpan.FromHours(1), failures);
        Check(nameof(options.CpuTime), options.CpuTime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1), failures);
        Check(nameof(options.CodeBytes), options.CodeBytes, KiB, 16 * MiB, failures);
        Check(nameof(options.OutputBytes), options.OutputBytes, KiB, 16 * MiB, failures);
        Check(nameof(options.MemoryBytes), options.MemoryBytes, 64 * MiB, TiB, failures);
        Check(nameof(options.DiskBytes), options.DiskBytes, MiB, TiB, failures);
        Check(nameof(options.Files), options.Files, 100, 10_000_000, failures);
        Check(nameof(options.OpenFiles), options.OpenFiles, 32, 65_536, failures);
        Check(nameof(options.Processes), options.Processes, 4, 4096, failures);
        return failures.Count == 0 ? ValidateOptionsResult.Success : ValidateOptionsResult.Fail(failures);
    }

    private static void CheckAddress(PythonToolOptions options, List<string> failures)
    {
        const string Key = $"{PythonToolOptions.Section}:{nameof(options.Address)}";
        if (!options.Address.StartsWith("http://", StringComparison.OrdinalIgnoreCase)
            || !Uri.TryCreate(options.Address, UriKind.Absolute, out var address) || address.PathAndQuery is not "/" || address.UserInfo.Length > 0)
        {
            failures.Add($"{Key} is '{options.Address}': it must be like http://127.0.0.1:8765. TLS belongs to a proxy in front.");
        }
        else if (!IsLoopback(address) && options.Key.Length == 0 && !options.AllowWithoutKey)
        {
            failures.Add($"{Key} is '{options.Address}', which others can reach, and there is no {PythonToolOptions.Section}:{nameof(options.Key)}. " +
                $"Give a key, or say {PythonToolOptions.Section}:{nameof(options.AllowWithoutKey)}=true where the network itself keeps others out.");
        }
    }

    /// <summary>Judged by the address itself: a name could resolve to anything.</summary>
    private static bool IsLoopback(Uri address) =>
        address.Host == "localhost" || (IPAddress.TryParse(address.DnsSafeHost, out var ip) && IPAddress.IsLoopback(ip));

    private static void CheckFile(string key, string path, List<string> failures) => CheckPath(key, path, File.Exists(path), failures);

    private static void CheckPath(string key, string path, bool exists, List<string> failures)
    {
        if (!exists || !Path.IsPathRooted(path))
        {
            failures.Add($"{PythonToolOptions.Section}:{key} is '{path}': there is no such file. Install it, or give its full path.");
        }
    }

    private static void Check<T>(string key, T value, T least, T most, List<string> failures)
        where T : IComparable<T>
    {
        if (value.CompareTo(least) < 0 || value.CompareTo(most) > 0)
        {
            failures.Add(string.Create(CultureInfo.InvariantCulture, $"{PythonToolOptions.Section}:{key} is {value}: it must be from {least} to {most}."));
        }
    }
}
