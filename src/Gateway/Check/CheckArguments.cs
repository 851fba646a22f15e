using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Gateway.Check;

/// <summary>The command line of <c>gateway check</c>. Keys are no part of it: command lines are seen by everybody on the machine.</summary>
internal sealed record CheckArguments
{
    public const string Help =
        """
        gateway check: asks a running gateway, and through it your own model server, for each thing that clients rely on.

          --url URL          the gateway's address, without /v1 (default http://127.0.0.1:8080)
          --model NAME       the model to ask (default: the first that is listed, and the built-in demo only when there is no other)
          --timeout SECONDS  for each case, 1 to 3600 (default 60)
          --only NAME,NAME   only these cases
          --json             prints a report for machines
          --admin-url URL    where /admin is (default: as --url)
          --help             this

        Keys come from the environment, never from the command line: GATEWAY_API_KEY (a tenant's), GATEWAY_ADMIN_KEY (an administrator's; with it the
        capabilities of the model servers are shown).

        Cases: CASES

        Ends with 0 when the gateway kept its contract (pass, or limited by the model), 1 when a case failed or nothing could be asked, 2 when the
        command line is wrong, no gateway answers or it refuses the key, 130 when it was interrupted. What it stored is deleted in any case.
        """;

    private const int MaxSeconds = 3600;

    public Uri Url { get; init; } = new("http://127.0.0.1:8080/");

    public Uri AdminUrl { get; init; } = new("http://127.0.0.1:8080/");

    /// <summary>The model to ask; null for one of the list.</summary>
    public string? Model { get; init; }

    /// <summary>For each case. Default 60 seconds.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(60);

    public bool Json { get; init; }

    public bool ShowsHelp { get; init; }

    /// <summary>The cases to run, in the order of <see cref="CheckCases.All"/>.</summary>
    public IReadOnlyList<CheckCase> Cases { get; init; } = CheckCases.All;

    /// <summary>Reads the command line behind the verb.</summary>
    /// <param name="args"><c>--name value</c> or <c>--name=value</c>, each once.</param>
    /// <param name="arguments">What they say.</param>
    /// <param name="problem">What is wrong with them. It never repeats a value that might be a secret at the wrong place.</param>
    public static bool TryParse(IReadOnlyList<string> args, [NotNullWhen(true)] out CheckArguments? arguments, [NotNullWhen(false)] out string? problem)
    {
        arguments = null;
        var read = new CheckArguments();
        string? adminUrl = null;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < args.Count; i++)
        {
            var equals = args[i].IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? args[i] : args[i][..equals];
            if (!name.StartsWith("--", StringComparison.Ordinal))
            {
                problem = "only options are taken, which begin with --";
                return false;
            }

            if (!seen.Add(name))
            {
                problem = $"{name} is given twice";
                return false;
            }

            if (name is "--help" or "--json")
            {
                problem = equals < 0 ? null : $"{name} takes no value";
                read = name == "--help" ? read with { ShowsHelp = true } : read with { Json = true };
            }
            else if (name is not ("--url" or "--admin-url" or "--model" or "--timeout" or "--only"))
            {
                problem = name.Contains("key", StringComparison.OrdinalIgnoreCase)
                    ? $"{name} is not known: keys come from the environment (GATEWAY_API_KEY, GATEWAY_ADMIN_KEY)"
                    : $"{name} is not known";
            }
            else if ((equals < 0 ? i + 1 < args.Count ? args[++i] : null : args[i][(equals + 1)..]) is not { Length: > 0 } value)
            {
                problem = $"{name} wants a value";
            }
            else
            {
                problem = null;
                adminUrl = name == "--admin-url" ? value : adminUrl;
                read = name switch
                {
                    "--model" => read with { Model = value },
                    "--timeout" => read with { Timeout = ReadTimeout(value, ref problem) },
                    "--only" => read with { Cases = ReadCases(value, ref problem) },
                    "--url" => read with { Url = ReadUrl(name, value, ref problem) },
                    _ => read with { AdminUrl = ReadUrl(name, value, ref problem) },
                };
            }

            if (problem is not null)
            {
                return false;
            }
        }

        problem = null;
        arguments = adminUrl is null ? read with { AdminUrl = read.Url } : read;
        return true;
    }

    private static TimeSpan ReadTimeout(string value, ref string? problem)
    {
        if (!int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) || seconds is < 1 or > MaxSeconds)
        {
            problem = $"--timeout wants a whole number of seconds from 1 to {MaxSeconds}";
        }

        return TimeSpan.FromSeconds(seconds);
    }

    private static IReadOnlyList<CheckCase> ReadCases(string value, ref string? problem)
    {
        var names = value.Split(',', StringSplitOptions.TrimEntries);
        if (names.Any(name => CheckCases.All.All(known => known.Name != name)))
        {
            problem = $"--only wants names of cases: {string.Join(", ", CheckCases.All.Select(known => known.Name))}";
        }

        return [.. CheckCases.All.Where(known => names.Contains(known.Name))];
    }

    private static Uri ReadUrl(string name, string value, ref string? problem)
    {
        if (!Uri.TryCreate(value, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            problem = $"{name} wants an address such as http://127.0.0.1:8080";
            return new Uri("http://127.0.0.1/");
        }

        if (url.UserInfo.Length + url.Query.Length + url.Fragment.Length > 0)
        {
            problem = $"{name} takes no user, query or fragment";
        }

        var path = url.AbsolutePath.TrimEnd('/');
        if (path.EndsWith("/v1", StringComparison.Ordinal))
        {
            problem = $"{name} wants the address without /v1: both base paths are asked";
        }

        return new Uri(url, path + "/");
    }
}
