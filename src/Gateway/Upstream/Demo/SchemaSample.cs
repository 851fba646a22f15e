using System.Buffers;
using System.Text;
using System.Text.Json;

namespace Gateway.Upstream.Demo;

/// <summary>Writes some value that has the shape of a JSON schema.</summary>
internal static class SchemaSample
{
    private const int MaxDepth = 16;

    /// <param name="schema">The schema; null for "any object".</param>
    /// <param name="text">What stands where a string is wanted.</param>
    public static string Write(JsonElement? schema, string text)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            if (schema is { ValueKind: JsonValueKind.Object } given)
            {
                WriteValue(writer, given, text, 0);
            }
            else
            {
                writer.WriteStartObject();
                writer.WriteEndObject();
            }
        }

        return Encoding.UTF8.GetString(buffer.WrittenSpan);
    }

    private static void WriteValue(Utf8JsonWriter writer, JsonElement schema, string text, int depth)
    {
        if (schema.ValueKind != JsonValueKind.Object || depth > MaxDepth)
        {
            writer.WriteNullValue();
        }
        else if (schema.TryGetProperty("const", out var only) || schema.TryGetProperty("default", out only) || First(schema, "enum", out only))
        {
            only.WriteTo(writer);
        }
        else if (First(schema, "anyOf", out var choice) || First(schema, "oneOf", out choice) || First(schema, "allOf", out choice))
        {
            WriteValue(writer, choice, text, depth + 1);
        }
        else
        {
            WriteTyped(writer, schema, text, depth);
        }
    }

    private static void WriteTyped(Utf8JsonWriter writer, JsonElement schema, string text, int depth)
    {
        switch (TypeOf(schema))
        {
            case "string":
                writer.WriteStringValue(text.Length > 0 ? text : "demo");
                break;
            case "integer" or "number":
                writer.WriteNumberValue(schema.TryGetProperty("minimum", out var least) && least.TryGetInt64(out var minimum) ? minimum : 1);
                break;
            case "boolean":
                writer.WriteBooleanValue(true);
                break;
            case "null":
                writer.WriteNullValue();
                break;
            case "array":
                writer.WriteStartArray();
                if (schema.TryGetProperty("items", out var items) && items.ValueKind == JsonValueKind.Object)
                {
                    WriteValue(writer, items, text, depth + 1);
                }

                writer.WriteEndArray();
                break;
            default:
                writer.WriteStartObject();
                if (schema.TryGetProperty("properties", out var properties) && properties.ValueKind == JsonValueKind.Object)
                {
                    foreach (var property in properties.EnumerateObject())
                    {
                        writer.WritePropertyName(property.Name);
                        WriteValue(writer, property.Value, text, depth + 1);
                    }
                }

                writer.WriteEndObject();
                break;
        }
    }

    /// <summary>The type, or the first of several.</summary>
    private static string? TypeOf(JsonElement schema) =>
        schema.TryGetProperty("type", out var type) && type.ValueKind == JsonValueKind.String ? type.GetString()
        : First(schema, "type", out var first) && first.ValueKind == JsonValueKind.String ? first.GetString()
        : null;

    private static bool First(JsonElement schema, string name, out JsonElement first)
    {
        first = default;
        if (!schema.TryGetProperty(name, out var list) || list.ValueKind != JsonValueKind.Array || list.GetArrayLength() == 0)
        {
            return false;
        }

        first = list[0];
        return true;
    }
}
