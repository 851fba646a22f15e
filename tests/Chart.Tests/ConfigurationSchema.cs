using System.Reflection;
using System.Text.Json.Nodes;
using Gateway.Hosting;

namespace Chart.Tests;

/// <summary>The JSON schema of the section <c>Gateway</c>, made from the classes that it is bound to.</summary>
internal static class ConfigurationSchema
{
    /// <summary>As <c>AccessOptionsValidator</c> takes them.</summary>
    private const string TenantNames = "^[a-z0-9][a-z0-9._-]{0,62}$";

    public static JsonObject Of(IEnumerable<KnownSection> sections)
    {
        var properties = new JsonObject();
        foreach (var section in sections.GroupBy(section => section.Name).OrderBy(group => group.Key, StringComparer.Ordinal))
        {
            properties[section.Key] = Of([.. section.Select(s => s.Options).Distinct()]);
        }

        properties["Tenants"]!.AsObject()["patternProperties"] = new JsonObject { [TenantNames] = properties["Tenants"]!["additionalProperties"]!.DeepClone() };
        properties["Tenants"]!.AsObject()["additionalProperties"] = false;
        return Closed(properties);
    }

    /// <param name="types">One class, or several that share the section's keys.</param>
    private static JsonObject Of(params IReadOnlyList<Type> types)
    {
        var type = Nullable.GetUnderlyingType(types[0]) ?? types[0];
        if (Entries(type) is { } entry)
        {
            return new JsonObject { ["type"] = "object", ["additionalProperties"] = Of(entry) };
        }

        if (Items(type) is { } item)
        {
            return new JsonObject { ["type"] = "array", ["items"] = Of(item) };
        }

        if (type.IsEnum)
        {
            return new JsonObject { ["enum"] = new JsonArray([.. Enum.GetNames(type).Select(name => JsonValue.Create(name))]) };
        }

        return type.Name switch
        {
            nameof(String) => new JsonObject { ["type"] = "string" },
            nameof(Boolean) => new JsonObject { ["type"] = "boolean" },
            nameof(Int32) or nameof(Int64) => new JsonObject { ["type"] = "integer" },
            nameof(Double) => new JsonObject { ["type"] = "number" },
            nameof(TimeSpan) => new JsonObject { ["$ref"] = "#/$defs/timeSpan" },
            // Keys of a profile: profiles.json knows them, and the gateway refuses others at its start.
            "IConfigurationSection" => new JsonObject { ["type"] = "object" },
            _ => OfClasses(types),
        };
    }

    private static JsonObject OfClasses(IReadOnlyList<Type> types)
    {
        var properties = types.SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance))
            .Where(property => property.CanWrite || Entries(property.PropertyType) is not null || Items(property.PropertyType) is not null)
            .DistinctBy(property => property.Name)
            .OrderBy(property => property.Name, StringComparer.Ordinal);
        return Closed(new JsonObject(properties.Select(property => KeyValuePair.Create(property.Name, (JsonNode?)Of(property.PropertyType)))));
    }

    private static JsonObject Closed(JsonObject properties) =>
        new() { ["type"] = "object", ["additionalProperties"] = false, ["properties"] = properties };

    private static Type? Entries(Type type) => Generic(type, typeof(IDictionary<,>), typeof(IReadOnlyDictionary<,>))?[1];

    private static Type? Items(Type type) => type == typeof(string) ? null : Generic(type, typeof(IEnumerable<>))?[0];

    private static Type[]? Generic(Type type, params Type[] definitions) => type.GetInterfaces().Append(type)
        .FirstOrDefault(candidate => candidate.IsGenericType && definitions.Contains(candidate.GetGenericTypeDefinition()))?.GetGenericArguments();
}
