using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>Reads and checks <c>Gateway:Upstreams</c>. Every complaint names the key and, unless it is a secret, the value.</summary>
internal static partial class UpstreamReader
{
    public const string Section = "Gateway:Upstreams";

    /// <summary>The name of the built-in upstream, of its profile and of its model.</summary>
    public const string DemoName = "demo";

    private const int MostWeight = 1000;
    private const int MostQueued = 100_000;

    private static readonly TimeSpan LongestTimeout = TimeSpan.FromDays(1);

    /// <summary>The upstreams in the order of the configuration; the built-in one when none is configured, which only a start may take.</summary>
    public static IReadOnlyList<ConfiguredUpstream> Read(IConfiguration configuration, List<string> errors)
    {
        var upstreams = new List<ConfiguredUpstream>();
        foreach (var section in configuration.GetSection(Section).GetChildren())
        {
            if (ReadOne(section, errors) is { } upstream)
            {
                upstreams.Add(upstream);
            }
        }

        return upstreams.Count == 0 && errors.Count == 0 ? [Demo()] : upstreams;
    }

    private static ConfiguredUpstream Demo() => new(ProfileTable.Read(DemoName, null, Section, [])!, apiKey: null)
    {
        Name = DemoName,
        // Never connected to: the cluster's client is the demo itself. A literal, so that nothing is resolved.
        Addresses = ["http://127.0.0.1:1/v1"],
        Headers = [],
        Models = [],
        ConnectTimeout = TimeSpan.FromSeconds(5),
        FirstByteTimeout = TimeSpan.FromMinutes(1),
        IdleTimeout = TimeSpan.FromMinutes(1),
        IsDemo = true,
        Fingerprint = "",
    };

    private static ConfiguredUpstream? ReadOne(IConfigurationSection section, List<string> errors)
    {
        var before = errors.Count;
        if (!NamePattern.IsMatch(section.Key))
        {
            errors.Add($"{section.Path}: the name '{section.Key}' must be 1 to 63 letters, digits, dots, dashes or underscores, starting with a letter or digit.");
        }

        if (Bind(section, errors) is not { } options)
        {
            return null;
        }

        var addresses = ReadAddresses(section, options, errors);
        var models = ReadModels(section, options, errors);
        var profile = ProfileTable.Read(options.Profile ?? ProfileTable.Auto, options.ProfileOptions, section.Path, errors);
        CheckPatterns(section, profile, errors);
        CheckWindow(section, profile, errors);
        CheckHeaders(section, options, errors);
        CheckCaFile(section, options, errors);
        CheckTimeout(section, nameof(options.ConnectTimeout), options.ConnectTimeout, errors);
        CheckTimeout(section, nameof(options.FirstByteTimeout), options.FirstByteTimeout, errors);
        CheckTimeout(section, nameof(options.IdleTimeout), options.IdleTimeout, errors);
        CheckRouting(section, options, errors);
        CheckHealth(section, options.Health, errors);
        var key = ReadKey(section, options, errors);
        if (errors.Count > before || profile is null)
        {
            return null;
        }

        return new ConfiguredUpstream(profile, key)
        {
            Name = section.Key,
            Addresses = addresses,
            Headers = [.. options.Headers],
            Models = models,
            IsAuto = options.Profile is null or ProfileTable.Auto,
            Overrides = ProfileTable.ReadOverrides(options.ProfileOptions, errors),
            ApiKeyFile = options.ApiKeyFile,
            CaFile = options.CaFile,
            ConnectTimeout = options.ConnectTimeout,
            FirstByteTimeout = options.FirstByteTimeout,
            IdleTimeout = options.IdleTimeout,
            Priority = options.Priority,
            Weight = options.Weight,
            MaxConcurrentRequests = options.MaxConcurrentRequests,
            MaxQueued = options.MaxQueued,
            QueueTimeout = options.QueueTimeout,
            Health = string.IsNullOrEmpty(options.Health.Path) ? null : options.Health,
            Fingerprint = string.Join('\n', section.AsEnumerable().OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => $"{p.Key}={p.Value}")),
        };
    }

    private static UpstreamOptions? Bind(IConfigurationSection section, List<string> errors)
    {
        try
        {
            // A section without a value or children (a JSON null) binds to nothing, and then lacks its address.
            return section.Get<UpstreamOptions>(binder => binder.ErrorOnUnknownConfiguration = true) ?? new UpstreamOptions();
        }
        catch (InvalidOperationException e)
        {
            // Of keys that are not known the binder tells the option that found them and the class, and then, in quotes, the keys.
            const string strict = nameof(BinderOptions.ErrorOnUnknownConfiguration);
            var what = e.Message.Contains(strict, StringComparison.Ordinal) ? $"not known: {e.Message[(e.Message.LastIndexOf(": ", StringComparison.Ordinal) + 2)..]}." : e.Message;
            errors.Add($"{section.Path}: {what}");
            return null;
        }
    }

    private static List<string> ReadAddresses(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        var addresses = new List<string>();
        if (options.Address is { } single)
        {
            Add($"{section.Path}:Address", single);
        }

        for (var i = 0; i < options.Addresses.Count; i++)
        {
            Add($"{section.Path}:Addresses:{i}", options.Addresses[i]);
        }

        if (options.Address is null && options.Addresses.Count == 0)
        {
            errors.Add($"{section.Path}:Address is missing: give the base URL of the server, such as http://localhost:8000/v1.");
        }

        return addresses;

        void Add(string key, string value)
        {
            if (!Uri.TryCreate(value, UriKind.Absolute, out var uri) || uri.Scheme is not ("http" or "https")
                || uri.UserInfo.Length > 0 || uri.Query.Length > 0 || uri.Fragment.Length > 0)
            {
                // What stands before an @ is a password, and a query may hold a key: neither is printed.
                var shown = value.AsSpan().ContainsAny('@', '?') ? "not shown, it may hold a secret" : $"'{value}'";
                errors.Add($"{key} is {shown}: it must be an http or https URL without user, query and fragment, such as http://localhost:8000/v1.");
                return;
            }

            var address = uri.GetLeftPart(UriPartial.Path).TrimEnd('/');
            if (addresses.Contains(address, StringComparer.OrdinalIgnoreCase))
            {
                errors.Add($"{key} is '{value}': that address is given twice.");
                return;
            }

            addresses.Add(address);
        }
    }

    private static List<ModelRule> ReadModels(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        var rules = new List<ModelRule>();
        for (var i = 0; i < options.Models.Count; i++)
        {
            if (ModelRule.TryParse(options.Models[i]) is { } rule)
            {
                rules.Add(rule);
            }
            else
            {
                errors.Add($"{section.Path}:Models:{i} is '{options.Models[i]}': it must be a name, a glob, or alias=upstream-name.");
            }
        }

        return rules;
    }

    private static void CheckPatterns(IConfigurationSection section, RouteProfile? profile, List<string> errors)
    {
        foreach (var pattern in profile?.ContextErrorPatterns ?? [])
        {
            try
            {
                _ = Regex.Match("", pattern);
            }
            catch (RegexParseException e)
            {
                errors.Add($"{section.Path}:ProfileOptions:context_error_patterns holds '{pattern}', which is no regular expression: {e.Message}");
            }
        }
    }

    private static void CheckWindow(IConfigurationSection section, RouteProfile? profile, List<string> errors)
    {
        if (profile?.ContextWindow is <= 0 and var window)
        {
            errors.Add($"{section.Path}:ProfileOptions:context_window is '{window}': it must be at least 1 token.");
        }
    }

    private static void CheckHeaders(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        using var probe = new HttpRequestMessage();
        foreach (var (name, value) in options.Headers)
        {
            var ours = name.ToUpperInvariant() is "HOST" or "CONTENT-LENGTH" or "CONTENT-TYPE" or "TRANSFER-ENCODING" or "CONNECTION";
            if (ours || value is null || value.AsSpan().ContainsAny('\r', '\n', '\0') || !probe.Headers.TryAddWithoutValidation(name, value))
            {
                errors.Add($"{section.Path}:Headers:{name}: this header can not be set, or its value is missing or has a line break.");
            }
        }

        if ((options.ApiKey ?? options.ApiKeyFile) is not null && options.Headers.ContainsKey("Authorization"))
        {
            errors.Add($"{section.Path}:Headers:Authorization and {section.Path}:ApiKey are both given: keep one.");
        }
    }

    private static void CheckCaFile(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        if (options.CaFile is null)
        {
            return;
        }

        try
        {
            var authorities = new X509Certificate2Collection();
            authorities.ImportFromPemFile(options.CaFile);
            if (authorities.Count == 0)
            {
                errors.Add($"{section.Path}:CaFile is '{options.CaFile}': it holds no certificate in PEM form.");
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or CryptographicException)
        {
            errors.Add($"{section.Path}:CaFile is '{options.CaFile}', which can not be read: {e.Message}");
        }
    }

    private static string? ReadKey(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        if (options.ApiKeyFile is null)
        {
            return CheckKey(options.ApiKey, $"{section.Path}:ApiKey");
        }

        if (options.ApiKey is not null)
        {
            errors.Add($"{section.Path}:ApiKey and {section.Path}:ApiKeyFile are both given: keep one.");
            return null;
        }

        try
        {
            return CheckKey(ReadKeyFile(options.ApiKeyFile), $"{section.Path}:ApiKeyFile");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            errors.Add($"{section.Path}:ApiKeyFile is '{options.ApiKeyFile}', which can not be read: {e.Message}");
            return null;
        }

        string? CheckKey(string? key, string name)
        {
            if (key is null || IsKey(key))
            {
                return key;
            }

            errors.Add($"{name}: the key must be printable ASCII without spaces, and not empty.");
            return null;
        }
    }

    public static string ReadKeyFile(string path) => File.ReadAllText(path).Trim();

    public static bool IsKey(string key) => key.Length > 0 && !key.AsSpan().ContainsAnyExceptInRange('!', '~');

    private static void CheckRouting(IConfigurationSection section, UpstreamOptions options, List<string> errors)
    {
        CheckNumber(section, nameof(options.Weight), options.Weight, 1, MostWeight, errors);
        CheckNumber(section, nameof(options.MaxConcurrentRequests), options.MaxConcurrentRequests ?? 1, 1, int.MaxValue, errors);
        CheckNumber(section, nameof(options.MaxQueued), options.MaxQueued, 0, MostQueued, errors);
        CheckTimeout(section, nameof(options.QueueTimeout), options.QueueTimeout, errors);
    }

    private static void CheckHealth(IConfigurationSection section, HealthOptions options, List<string> errors)
    {
        var health = section.GetSection(nameof(UpstreamOptions.Health));
        if (options.Path is { } path && (path.AsSpan().ContainsAny('#', '\\') || path.StartsWith("//", StringComparison.Ordinal)
            || path.AsSpan().ContainsAnyExceptInRange('!', '~') || Uri.TryCreate(path, UriKind.Absolute, out var uri) && !uri.IsFile))
        {
            errors.Add($"{health.Path}:Path is '{path}': it must be a path such as models or /health.");
        }

        CheckTimeout(health, nameof(options.Interval), options.Interval, errors);
        CheckTimeout(health, nameof(options.Timeout), options.Timeout, errors);
    }

    private static void CheckNumber(IConfigurationSection section, string key, int value, int least, int most, List<string> errors)
    {
        if (value < least || value > most)
        {
            errors.Add($"{section.Path}:{key} is '{value}': it must be {(most == int.MaxValue ? $"at least {least}" : $"{least} to {most}")}.");
        }
    }

    private static void CheckTimeout(IConfigurationSection section, string key, TimeSpan value, List<string> errors)
    {
        if (value <= TimeSpan.Zero || value > LongestTimeout)
        {
            errors.Add($"{section.Path}:{key} is '{value}': it must be longer than zero and at most {LongestTimeout}.");
        }
    }

    [GeneratedRegex("^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
    private static partial Regex NamePattern { get; }
}
