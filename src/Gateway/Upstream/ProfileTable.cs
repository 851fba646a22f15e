using System.Collections.Frozen;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>The profiles by name, from the data file <c>profiles.json</c>: a row holds what differs from the generic profile.</summary>
internal static class ProfileTable
{
    /// <summary>Stands for the generic profile until the kind of a server is found out by asking it.</summary>
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

    public static IEnumerable<string> Names => Rows.Select(row => row.Key);

    /// <summary>The named profile with single keys overridden; null with errors added when the name, a key or a value is unknown.</summary>
    public static RouteProfile? Read(string name, IConfigurationSection? overrides, string section, List<string> errors)
    {
        var rowName = name == Auto ? Generic : name;
        if (Rows[rowName] is not JsonObject row)
        {
            errors.Add($"{section}:Profile is '{name}': it must be one of {Auto}, {string.Join(", ", Names)}.");
            return null;
        }

        var merged = row.DeepClone().AsObject();
        var before = errors.Count;
        foreach (var option in overrides?.GetChildren() ?? [])
        {
            var letters = option.Key.Replace("_", "", StringComparison.Ordinal);
            if (!Keys.TryGetValue(letters, out var key))
            {
                errors.Add($"{option.Path} is not a key of a profile. Known keys: {string.Join(", ", Keys.Values.Order(StringComparer.Ordinal))}.");
                continue;
            }

            merged[key] = ToJson(option, parseScalars: key == "extra_body");
            Check(key, merged[key], option, errors);
        }

        merged["name"] = rowName;
        return errors.Count == before ? merged.Deserialize<RouteProfile>(Options) : null;
    }

    /// <summary>Reads the one key alone, so that the message names it.</summary>
    private static void Check(string key, JsonNode? value, IConfigurationSection option, List<string> errors)
    {
        try
        {
            new JsonObject { [key] = value?.DeepClone() }.Deserialize<RouteProfile>(Options);
        }
        catch (JsonException)
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
