using System.Globalization;
using System.Text;

namespace Gateway.Load;

/// <summary>Options of the form <c>--name value</c>. Each is asked for once, with its range and meaning, which also makes the help text.</summary>
internal sealed class CommandLine
{
    private readonly Dictionary<string, string> _given = new(StringComparer.Ordinal);
    private readonly StringBuilder _help = new();
    private readonly bool _wantsHelp;

    public CommandLine(string[] args)
    {
        for (var i = 0; i < args.Length; i++)
        {
            if (args[i] is "--help" or "-h")
            {
                _wantsHelp = true;
            }
            else if (!args[i].StartsWith("--", StringComparison.Ordinal) || i + 1 == args.Length)
            {
                throw new UsageException($"Expected '--name value', but got '{args[i]}'. Try --help.");
            }
            else if (!_given.TryAdd(args[i], args[++i]))
            {
                throw new UsageException($"{args[i - 1]} is given twice.");
            }
        }
    }

    public int Number(string name, int byDefault, int min, int max, string meaning)
    {
        Describe(name, $"{meaning} ({min}..{max}, default {byDefault})");
        if (!_given.Remove(name, out var text))
        {
            return byDefault;
        }

        return int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value) && value >= min && value <= max
            ? value
            : throw new UsageException($"{name} must be a whole number between {min} and {max}, but is '{text}'.");
    }

    public string? Text(string name, string meaning)
    {
        Describe(name, meaning);
        return _given.Remove(name, out var text) ? text : null;
    }

    /// <summary>A comma-separated list of known words.</summary>
    public IReadOnlyList<string> Words(string name, IReadOnlyList<string> known, string meaning)
    {
        Describe(name, $"{meaning} (comma-separated; default {string.Join(',', known)})");
        if (!_given.Remove(name, out var text))
        {
            return known;
        }

        var words = text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return words.Length > 0 && words.All(known.Contains)
            ? words
            : throw new UsageException($"{name} takes of {string.Join(',', known)}, but is '{text}'.");
    }

    /// <summary>Called behind the last option. False when only the help was wanted, which it has printed.</summary>
    public bool Complete()
    {
        if (_wantsHelp)
        {
            Console.Write(_help);
            return false;
        }

        return _given.Count == 0 ? true : throw new UsageException($"Unknown option {_given.Keys.First()}. Try --help.");
    }

    private void Describe(string name, string meaning) => _help.Append(CultureInfo.InvariantCulture, $"  {name,-18} {meaning}\n");
}
