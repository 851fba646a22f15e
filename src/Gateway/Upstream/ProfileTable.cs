using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>The profiles by name, from the data file <c>profiles.json</c>: a row holds what differs from the generic profile.</summary>
internal static class ProfileTable
{
    /// <summary>Stands for the generic profile until the kind of a server was found out by asking it.</summary>
    public const string Auto = "auto";

    public const string Generic = "generic";

    // By reflection, once per upstream at start: the source generator would set every member that a row leaves out to its type's default.
    private static readonly JsonSerializerOptions Options = new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,
        NumberHandling = JsonNumberHandling.AllowReadingFromString,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower, allowIntegerValues: false) },
    };

    private static readonly JsonObject Rows = ReadRows();

    /// <summary>The members of a profile as they are spelt in JSON, by their letters alone, so that both spellings are understood.</summary>
    private static readonly FrozenDictionary<string, string> Keys = typeof(RouteProfile).GetProperties()
        .Where(p => p.SetMethod is not null && p.Name != nameof(RouteProfile.Name))
        .ToFrozenDictionary(p => p.Name, p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name), StringComparer.OrdinalIgnoreCase);

    private static readonly FrozenSet<string> Closed = typeof(RouteProfile).GetProperties()
        .Where(p => p.SetMethod is not null && (p.PropertyType.IsEnum || p.PropertyType == typeof(bool)))
        .Select(p => JsonNamingPolicy.SnakeCaseLower.ConvertName(p.Name))
        .ToFrozenSet(StringComparer.Ordinal);

    public static IEnumerable<string> Names => Rows.Select(row => row.Key);

    /// <summary>The named profile with single keys overridden; null with errors added when the name, a key or a value is unknown.</summary>
    public static RouteProfile? Read(string name, IConfigurationSection? overrides, string section, List<string> errors)
    {
        var rowName = name == Auto ? Generic : name;
        if (Rows[rowName] is not JsonObject)
        {
            errors.Add($"{section}:Profile is '{name}': it must be one of {Auto}, {string.Join(", ", Names)}.");
            return null;
        }

        var before = errors.Count;
        var own = ReadOverrides(overrides, errors);
        return errors.Count == before ? Compose(rowName, [], own) : null;
    }

    /// <summary>A row, over it what was learned about a server, over that the operator's own keys.</summary>
    public static RouteProfile Compose(string row, JsonObject learned, JsonObject overrides)
    {
        var merged = Rows[row]!.DeepClone().AsObject();
        foreach (var (key, value) in learned.Concat(overrides))
        {
            merged[key] = value?.DeepClone();
        }

        merged["name"] = row;
        return merged.Deserialize<RouteProfile>(Options) ?? RouteProfile.Generic;
    }

    /// <summary>The operator's keys, spelt as in <c>profiles.json</c>; errors are added when a key or a value is unknown.</summary>
    public static JsonObject ReadOverrides(IConfigurationSection? overrides, List<string> errors)
    {
        var own = new JsonObject();
        foreach (var option in overrides?.GetChildren() ?? [])
        {
            var letters = option.Key.Replace("_", "", StringComparison.Ordinal);
            if (!Keys.TryGetValue(letters, out var key))
            {
                errors.Add($"{option.Path} is not a key of a profile. Known keys: {string.Join(", ", Keys.Values.Order(StringComparer.Ordinal))}.");
                continue;
            }

            own[key] = ToJson(option, parseScalars: key == "extra_body");
            Check(key, own[key], option, errors);
        }

        return own;
    }

    /// <summary>The key's values are words of a closed set or truth values.</summary>
    public static bool IsClosed(string key) => Closed.Contains(key);

    /// <summary>The key takes the value.</summary>
    public static bool IsValid(string key, JsonNode? value)
    {
        try
        {
            return value is not null && new JsonObject { [key] = value.DeepClone() }.Deserialize<RouteProfile>(Options) is not null;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>The keys with a closed set of values, as they are spelt in <c>profiles.json</c>, with their values.</summary>
    public static IEnumerable<KeyValuePair<string, JsonNode>> Settings(RouteProfile profile)
    {
        var all = JsonSerializer.SerializeToNode(profile, Options)!.AsObject();
        return Closed.Where(all.ContainsKey).Order(StringComparer.Ordinal).Select(key => KeyValuePair.Create(key, all[key]!));
    }

    /// <summary>Reads the one key alone, so that the message names it.</summary>
    private static void Check(string key, JsonNode? value, IConfigurationSection option, List<string> errors)
    {
        if (!IsValid(key, value))
        {
            errors.Add($"{option.Path} is '{option.Value ?? value?.ToJsonString()}': the profile key '{key}' does not take that value.");
        }
    }

    /// <summary>Configuration knows only text: truth values are recognised everywhere, numbers and JSON in what goes into the body.</summary>
    private static JsonNode? ToJson(IConfigurationSection section, bool parseScalars)
    {
        var children = section.GetChildren().ToList();
        if (children.Count > 0)
        {
            return children.TrueForAll(c => int.TryParse(c.Key, out _))
                ? new JsonArray([.. children.Select(c => ToJson(c, parseScalars))])
                : new JsonObject(children.Select(c => KeyValuePair.Create(c.Key, ToJson(c, parseScalars))));
        }

        var text = section.Value ?? "";
        if (bool.TryParse(text, out var truth))
        {
            return truth;
        }

        return parseScalars ? ParseScalar(text) : text;
    }

    private static JsonNode? ParseScalar(string text)
    {
        try
        {
            return JsonNode.Parse(text);
        }
        catch (JsonException)
        {
            return text;
        }
    }

    private static JsonObject ReadRows()
    {
        using var file = typeof(ProfileTable).Assembly.GetManifestResourceStream("profiles.json")
            ?? throw new InvalidOperationException("The resource profiles.json is not part of the assembly.");
        return JsonNode.Parse(file)!.AsObject();
    }
}
