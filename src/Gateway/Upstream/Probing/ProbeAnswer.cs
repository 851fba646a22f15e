using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Gateway.Protocol.ChatCompletions;

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

    /// <summary>What it says about the question.</summary>
    public ProbeVerdict Verdict => Status switch
    {
        0 or 401 or 402 or 403 or 408 or 429 or 502 or 503 or 504 or 529 => ProbeVerdict.Unknown,
        >= 200 and < 300 when ReadChunks().FirstOrDefault(IsError) is { ValueKind: JsonValueKind.Object } error =>
            // The status of an error inside a 200 is that of its contents.
            UpstreamErrorReader.FromStreamError(Encoding.UTF8.GetBytes(error.GetRawText()), []).Status is 429 or 502 or 503 or 504
                ? ProbeVerdict.Unknown : ProbeVerdict.No,
        >= 200 and < 300 => ProbeVerdict.Yes,
        // One token was enough to say that the model would have gone on: the form was taken.
        400 when Names("model output limit was reached") => ProbeVerdict.Yes,
        _ => ProbeVerdict.No,
    };

    /// <summary>The tokens of the prompt as the server counted them; null when it does not say.</summary>
    public int? PromptTokens =>
        ReadJson() is { ValueKind: JsonValueKind.Object } body && body.TryGetProperty("usage", out var usage) && usage.ValueKind == JsonValueKind.Object
            && usage.TryGetProperty("prompt_tokens", out var tokens) && tokens.ValueKind == JsonValueKind.Number && tokens.TryGetInt32(out var count)
            ? count
            : null;

    /// <summary>The message of its error has these words, in whatever case.</summary>
    public bool Names(string words) => UpstreamErrorReader.ReadMessage(Body)?.Contains(words, StringComparison.OrdinalIgnoreCase) == true;

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

    private static bool IsError(JsonElement chunk) =>
        (chunk.TryGetProperty("error", out var error) && error.ValueKind is JsonValueKind.Object or JsonValueKind.String)
        || (chunk.TryGetProperty("object", out var kind) && kind.ValueKind == JsonValueKind.String && kind.ValueEquals("error"));
}
