using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Gateway.Upstream.Probing;

/// <summary>A server's answer to one question.</summary>
/// <param name="Status">The HTTP status; 0 when there was no answer.</param>
/// <param name="Body">The body, or its beginning.</param>
/// <param name="Headers">The headers; null when there was no answer.</param>
/// <param name="Reason">Why there was no answer, without names of hosts; null when there was one.</param>
internal sealed record ProbeAnswer(int Status, byte[] Body, HttpResponseHeaders? Headers, string? Reason)
{
    public bool IsSuccess => Status is >= 200 and < 300;

    public string Text => Encoding.UTF8.GetString(Body);

    /// <summary>Why nothing was learned, for the log.</summary>
    public string Why => Reason ?? $"status {Status}";

    public static ProbeAnswer None(string reason) => new(0, [], null, reason);

    /// <summary>The body as JSON; undefined when it is none.</summary>
    public JsonElement ReadJson()
    {
        try
        {
            using var document = JsonDocument.Parse(Body);
            return document.RootElement.Clone();
        }
        catch (JsonException)
        {
            return default;
        }
    }

    /// <summary>The documents of an event stream, or the one document of an answer that is none.</summary>
    public IEnumerable<JsonElement> ReadChunks()
    {
        foreach (var line in Text.Split('\n'))
        {
            var text = line.Trim();
            text = text.StartsWith("data:", StringComparison.Ordinal) ? text[5..].Trim() : text;
            if (text.StartsWith('{') && (this with { Body = Encoding.UTF8.GetBytes(text) }).ReadJson() is { ValueKind: JsonValueKind.Object } chunk)
            {
                yield return chunk;
            }
        }
    }
}
