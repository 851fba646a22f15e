using System.Collections;
using System.Collections.Frozen;
using System.Globalization;
using System.Reflection;
using System.Text.Json;
using Gateway.Hosting;
using Gateway.Upstream;

namespace Gateway.Admin;

/// <summary>
/// Writes options so that no secret shows. Numbers, truth values, times and words of a closed set are shown; a text only where it is on the
/// list here, so that a key nobody thought of is hidden.
/// </summary>
internal static class ConfigurationView
{
    public const string Hidden = "[hidden]";

    /// <summary>Texts that are no secrets, with <c>*</c> for a name or place that the operator gives.</summary>
    private static readonly FrozenSet<string> Shown = new[]
    {
        "Admin:Address",
        "Policy:Models:*", "Policy:ToolHosts:*", "Tenants:*:AccountId", "Tenants:*:Policy:Models:*", "Tenants:*:Policy:ToolHosts:*",
        "Store:Path", "Store:RedisPasswordFile",
        "Upstreams:*:ApiKeyFile", "Upstreams:*:CaFile", "Upstreams:*:Models:*", "Upstreams:*:Profile",
        "Passthrough:Paths:*",
        "Tools:AllowedHosts:*", "Tools:Servers:*:ApiKeyFile", "Tools:Servers:*:AllowedTools:*", "Tools:Bindings:*:Server", "Tools:Bindings:*:Tool",
    }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>URLs, of which what stands before the path is shown, without a user.</summary>
    private static readonly FrozenSet<string> Origins = new[] { "Tools:Servers:*:Url" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    /// <summary>URLs that are shown without user, query and fragment.</summary>
    private static readonly FrozenSet<string> Urls = new[] { "Upstreams:*:Address", "Upstreams:*:Addresses:*" }.ToFrozenSet(StringComparer.OrdinalIgnoreCase);

    public static void Write(Utf8JsonWriter json, IConfiguration configuration, IEnumerable<KnownSection> sections)
    {
        json.WriteStartObject();
        foreach (var section in sections.GroupBy(s => s.Name, StringComparer.OrdinalIgnoreCase))
        {
            json.WritePropertyName(section.Key);
            var bound = new List<object?>();
            try
            {
                bound.AddRange(section.Select(s => Bind(configuration.GetSection($"Gateway:{section.Key}"), s.Options)));
            }
            catch (InvalidOperationException)
            {
                // A value that is not of its option's type, changed since the start: the binder's message would quote it.
                json.WriteStringValue("[not readable]");
                continue;
            }

            WriteValue(json, section.Key, bound[0], bound.Skip(1));
        }

        json.WriteEndObject();
    }

    private static object? Bind(IConfigurationSection section, Type type) =>
        section.Get(type) ?? (type == typeof(string) ? null : Activator.CreateInstance(type));

    /// <param name="json">Where to.</param>
    /// <param name="key">Of the value, below <c>Gateway</c>, as in the lists above.</param>
    /// <param name="value">What to write.</param>
    /// <param name="others">Options that share the section of this one.</param>
    private static void WriteValue(Utf8JsonWriter json, string key, object? value, IEnumerable<object?>? others = null)
    {
        switch (value)
        {
            case null:
                json.WriteNullValue();
                break;
            case bool truth:
                json.WriteBooleanValue(truth);
                break;
            case int or long or double:
                json.WriteNumberValue(Convert.ToDecimal(value, CultureInfo.InvariantCulture));
                break;
            case Enum word:
                json.WriteStringValue(word.ToString());
                break;
            case TimeSpan time:
                json.WriteStringValue(time.ToString("c"));
                break;
            case string text:
                json.WriteStringValue(TextOf(key, text));
                break;
            case IConfigurationSection section:
                WriteProfileOptions(json, section);
                break;
            case IEnumerable list when KeyedEntries(list) is { } entries:
                json.WriteStartObject();
                foreach (var (name, entry) in entries)
                {
                    json.WritePropertyName(name);
                    WriteValue(json, key + ":*", entry);
                }

                json.WriteEndObject();
                break;
            case IEnumerable list:
                json.WriteStartArray();
                foreach (var entry in list)
                {
                    WriteValue(json, key + ":*", entry);
                }

                json.WriteEndArray();
                break;
            case { } when value.GetType().Namespace?.StartsWith("Gateway", StringComparison.Ordinal) == true:
                json.WriteStartObject();
                foreach (var options in (others ?? []).Prepend(value).OfType<object>())
                {
                    WriteMembers(json, key, options);
                }

                json.WriteEndObject();
                break;
            default:
                json.WriteStringValue(Hidden);
                break;
        }
    }

    private static void WriteMembers(Utf8JsonWriter json, string key, object options)
    {
        foreach (var property in options.GetType().GetProperties(BindingFlags.Public | BindingFlags.Instance))
        {
            // What is only computed is no key.
            if (property.CanWrite || property.PropertyType.IsGenericType)
            {
                json.WritePropertyName(property.Name);
                WriteValue(json, $"{key}:{property.Name}", property.GetValue(options));
            }
        }
    }

    private static IEnumerable<(string Name, object? Value)>? KeyedEntries(IEnumerable list)
    {
        if (list is IDictionary dictionary)
        {
            return dictionary.Keys.Cast<object>().Select(name => (name.ToString() ?? "", dictionary[name]));
        }

        return null;
    }

    private static string TextOf(string key, string text)
    {
        if (text.Length == 0 || Shown.Contains(key))
        {
            return text;
        }

        if (string.Equals(key, "Store:Redis", StringComparison.OrdinalIgnoreCase))
        {
            return string.Join(',', RedisEndpoints(text).Append(Hidden));
        }

        if ((Urls.Contains(key) || Origins.Contains(key)) && Uri.TryCreate(text, UriKind.Absolute, out var url))
        {
            return url.GetComponents(Urls.Contains(key) ? UriComponents.SchemeAndServer | UriComponents.Path : UriComponents.SchemeAndServer, UriFormat.UriEscaped);
        }

        return Hidden;
    }

    /// <summary>Servers stand before the first option; what stands behind may be a part of a password.</summary>
    private static IEnumerable<string> RedisEndpoints(string connection) =>
        connection.Split(',').Select(part => part.Trim()).TakeWhile(part => part.Length > 0 && !part.AsSpan().ContainsAny('=', '@', '/'));

    /// <summary>Profile keys with words and truth values; the others are free text.</summary>
    private static void WriteProfileOptions(Utf8JsonWriter json, IConfigurationSection section)
    {
        json.WriteStartObject();
        foreach (var (key, value) in ProfileTable.ReadOverrides(section, []))
        {
            json.WritePropertyName(key);
            if (ProfileTable.IsClosed(key) && ProfileTable.IsValid(key, value))
            {
                value!.WriteTo(json);
            }
            else
            {
                json.WriteStringValue(Hidden);
            }
        }

        json.WriteEndObject();
    }
}
