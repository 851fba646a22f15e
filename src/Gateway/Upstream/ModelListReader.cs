using System.Text.Json;

namespace Gateway.Upstream;

/// <summary>Reads the list of models that a server answers at <c>/models</c>.</summary>
internal static class ModelListReader
{
    /// <summary>More than any server has: what comes after is not kept.</summary>
    public const int MaxModels = 10_000;

    /// <summary>The models under <c>data</c> (or <c>models</c>, or of a bare array); null when it is no such list.</summary>
    public static IReadOnlyList<DiscoveredModel>? Read(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Object && (root.TryGetProperty("data", out var list) || root.TryGetProperty("models", out list)))
            {
                root = list;
            }

            return root.ValueKind == JsonValueKind.Array ? [.. root.EnumerateArray().Take(MaxModels).Select(ReadModel).OfType<DiscoveredModel>()] : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No JSON, or a string that is no UTF-8.
            return null;
        }
    }

    private static DiscoveredModel? ReadModel(JsonElement model) =>
        model.ValueKind == JsonValueKind.Object && model.TryGetProperty("id", out var id) && id.ValueKind == JsonValueKind.String
            && id.GetString() is { Length: > 0 and <= 512 } name
            ? new DiscoveredModel(name, ReadCreated(model), ReadWindow(model))
            : null;

    private static long? ReadCreated(JsonElement model) =>
        model.TryGetProperty("created", out var created) && created.ValueKind == JsonValueKind.Number && created.TryGetInt64(out var seconds) && seconds > 0
            ? seconds
            : null;

    /// <summary>The length that vLLM and SGLang serve the model with.</summary>
    private static int? ReadWindow(JsonElement model) =>
        model.TryGetProperty("max_model_len", out var length) && length.ValueKind == JsonValueKind.Number && length.TryGetInt32(out var tokens) && tokens > 0
            ? tokens
            : null;
}
