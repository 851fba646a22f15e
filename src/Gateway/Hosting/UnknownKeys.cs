using System.Globalization;
using System.Reflection;

namespace Gateway.Hosting;

/// <summary>
/// Finds keys below <c>Gateway</c> that no option reads: a typing error must not pass in silence. A warning, not an error: an older replica
/// may be given the settings of a newer one.
/// </summary>
internal static class UnknownKeys
{
    /// <summary>Each unknown key with a hint.</summary>
    public static IEnumerable<(string Key, string Hint)> Find(IConfiguration configuration, IReadOnlyCollection<KnownSection> known)
    {
        foreach (var section in configuration.GetSection("Gateway").GetChildren())
        {
            if (section.AsEnumerable().All(pair => string.IsNullOrEmpty(pair.Value)))
            {
                // An empty section says nothing, known or not.
                continue;
            }

            Type[] types = [.. known.Where(k => Same(k.Name, section.Key)).Select(k => k.Options)];
            if (types.Length == 0)
            {
                yield return (section.Path, Hint(section.Key, known.Select(k => k.Name)));
                continue;
            }

            foreach (var found in Walk(section, types))
            {
                yield return found;
            }
        }
    }

    /// <param name="section">What to look at.</param>
    /// <param name="types">What it is bound to: one class, or several that share the section's keys.</param>
    private static IEnumerable<(string Key, string Hint)> Walk(IConfigurationSection section, params Type[] types)
    {
        var type = types[0];
        var children = section.GetChildren().ToList();
        if (ElementType(type) is { } element)
        {
            if (children.Count == 0 && !string.IsNullOrEmpty(section.Value))
            {
                return [(section.Path, $"It is a list: write {section.Path}:0.")];
            }

            var isList = !IsDictionary(type);
            return children.SelectMany(child => isList && !int.TryParse(child.Key, NumberStyles.None, CultureInfo.InvariantCulture, out _)
                ? [(child.Path, "It is in a list, whose keys are numbers.")]
                : Walk(child, element));
        }

        if (type.Namespace?.StartsWith("Gateway", StringComparison.Ordinal) != true || type.IsEnum)
        {
            // A plain value, or a type that is not ours to describe.
            return [];
        }

        var properties = Array.FindAll(
            [.. types.SelectMany(t => t.GetProperties(BindingFlags.Public | BindingFlags.Instance))], p => p.CanWrite || ElementType(p.PropertyType) is not null);
        return children.SelectMany(child => Array.Find(properties, p => Same(p.Name, child.Key)) is { } property
            ? Walk(child, Nullable.GetUnderlyingType(property.PropertyType) ?? property.PropertyType)
            : [(child.Path, Hint(child.Key, properties.Select(p => p.Name)))]);
    }

    private static Type? ElementType(Type type)
    {
        if (type == typeof(string))
        {
            return null;
        }

        var items = type.GetInterfaces().Append(type)
            .FirstOrDefault(i => i.IsGenericType && i.GetGenericTypeDefinition() == typeof(IEnumerable<>))?.GetGenericArguments()[0];
        return items is { IsGenericType: true } && items.GetGenericTypeDefinition() == typeof(KeyValuePair<,>) ? items.GetGenericArguments()[1] : items;
    }

    private static bool IsDictionary(Type type) =>
        type.GetInterfaces().Append(type).Any(i => i.IsGenericType
            && (i.GetGenericTypeDefinition() == typeof(IDictionary<,>) || i.GetGenericTypeDefinition() == typeof(IReadOnlyDictionary<,>)));

    private static string Hint(string key, IEnumerable<string> names)
    {
        var nearest = names.MinBy(name => Distance(key, name));
        return nearest is not null && Distance(key, nearest) <= 3 ? $"Did you mean '{nearest}'?" : string.Empty;
    }

    private static bool Same(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    /// <summary>How many letters must be changed, added or taken away (Levenshtein).</summary>
    private static int Distance(string a, string b)
    {
        var row = Enumerable.Range(0, b.Length + 1).ToArray();
        for (var i = 1; i <= a.Length; i++)
        {
            var diagonal = row[0];
            row[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var changed = diagonal + (char.ToUpperInvariant(a[i - 1]) == char.ToUpperInvariant(b[j - 1]) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.Min(changed, Math.Min(row[j], row[j - 1]) + 1);
            }
        }

        return row[^1];
    }
}
