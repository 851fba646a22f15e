using System.Text;
using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Tools;

/// <summary>Reads the arguments that a model wrote for a call: a JSON object, or what the model took for one.</summary>
internal static class ToolArguments
{
    private static readonly JsonReaderOptions Options = new() { MaxDepth = 256 };

    public static bool IsObject(string arguments)
    {
        try
        {
            var reader = new Utf8JsonReader(Encoding.UTF8.GetBytes(arguments), Options);
            return reader.Read() && reader.TokenType == JsonTokenType.StartObject && reader.TrySkip() && !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>A text among the arguments, the last of its name; empty when there is none. Half a surrogate pair in it becomes U+FFFD.</summary>
    public static string TextOf(string arguments, string name)
    {
        if (!IsObject(arguments))
        {
            return string.Empty;
        }

        var json = Encoding.UTF8.GetBytes(arguments);
        var reader = new Utf8JsonReader(json, Options);
        var text = string.Empty;
        reader.Read();
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isWanted = TextAt(reader, json) == name;
            reader.Read();
            if (isWanted)
            {
                text = reader.TokenType == JsonTokenType.String ? TextAt(reader, json) : string.Empty;
            }

            reader.Skip();
        }

        return text;
    }

    private static string TextAt(in Utf8JsonReader reader, ReadOnlySpan<byte> json) =>
        JsonText.ToText(json.Slice((int)reader.TokenStartIndex, reader.ValueSpan.Length + 2));
}
