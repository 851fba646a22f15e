using System.Collections.Frozen;
using System.Text.Json;

namespace Gateway.Upstream.Probing;

/// <summary>
/// Finds out what kind of server an upstream is, without any tokens: by its address, by its list of models, and by addresses that only one kind
/// of server has.
/// </summary>
internal static class KindProbe
{
    private static readonly FrozenDictionary<string, string> Hosts = ReadHosts();

    /// <summary>The kind; null with a reason when the server did not answer and must be asked again.</summary>
    public static async Task<(ServerKind? Kind, string Reason)> AskAsync(ProbeClient client, CancellationToken cancellationToken)
    {
        if (Hosts.TryGetValue(client.Host, out var known))
        {
            return (ServerKind.Of(known, null), "");
        }

        var list = await client.GetApiAsync("/models", cancellationToken);
        if (!list.IsSuccess && (IsAway(list) || list.Status is 401 or 403))
        {
            return (null, list.Why);
        }

        string[] candidates = Hint(list) is { } hint ? [hint] : ["litellm", "llamacpp", "tgi", "sglang", "ollama"];
        foreach (var candidate in candidates)
        {
            var (kind, reason) = await ConfirmAsync(client, candidate, cancellationToken);
            if (kind is not null || reason.Length > 0)
            {
                return (kind, reason);
            }
        }

        // A list that names its maker is enough, even where a proxy hides the server's own addresses.
        return (candidates is [var sure] ? ServerKind.Of(sure, null) : ServerKind.Unknown, "");
    }

    /// <summary>The server can not be asked now; every other answer is one.</summary>
    private static bool IsAway(ProbeAnswer answer) => answer.Status is 0 or 408 or 429 or 502 or 503 or 504 or 529;

    /// <summary>The profile that the list of models speaks for; null when it says nothing.</summary>
    private static string? Hint(ProbeAnswer list)
    {
        if (list.Headers is { } headers)
        {
            if (headers.Any(h => h.Key.StartsWith("x-litellm-", StringComparison.OrdinalIgnoreCase)))
            {
                return "litellm";
            }

            if (headers.TryGetValues("Server", out var server) && server.Any(s => s.StartsWith("llama.cpp", StringComparison.OrdinalIgnoreCase)))
            {
                return "llamacpp";
            }
        }

        return Member(list.ReadJson(), "data") is { ValueKind: JsonValueKind.Array } models && models.GetArrayLength() > 0
            ? Text(models[0], "owned_by") switch
            {
                "vllm" => "vllm",
                "sglang" => "sglang",
                "llamacpp" => "llamacpp",
                "library" => "ollama",
                _ => null,
            }
            : null;
    }

    /// <summary>Asks for what only this kind has; the version is there too. With neither a kind nor a reason it is another kind.</summary>
    private static async Task<(ServerKind? Kind, string Reason)> ConfirmAsync(ProbeClient client, string candidate, CancellationToken cancellationToken)
    {
        switch (candidate)
        {
            case "vllm":
                return await TryAsync("/version", body => Text(body, "version"), body => Text(body, "version"));
            case "sglang":
                // The information about the server is large and needs its key in some versions; that about the model is always there.
                var (kind, reason) = await TryAsync("/get_server_info", body => Text(body, "model_path") ?? Text(body, "tp_size"), body => Text(body, "version"));
                return kind is not null || reason.Length > 0
                    ? (kind, reason)
                    : await TryAsync("/get_model_info", body => Member(body, "is_generation") is not null ? Text(body, "model_path") : null, _ => null);
            case "llamacpp":
                return await TryAsync("/props", body => Member(body, "default_generation_settings") is not null ? "" : null, body => Text(body, "build_info"));
            case "ollama":
                return await TryAsync("/api/version", body => Text(body, "version"), body => Text(body, "version"));
            case "tgi":
                return await TryAsync(
                    "/info", body => Text(body, "model_id") is not null && Member(body, "max_concurrent_requests") is not null ? "" : null, body => Text(body, "version"));
            default:
                var alive = await client.GetOwnAsync("/health/liveliness", cancellationToken);
                if (IsAway(alive))
                {
                    return (null, alive.Why);
                }

                if (!alive.IsSuccess || !alive.Text.Contains("I'm alive!", StringComparison.Ordinal))
                {
                    return (null, "");
                }

                return (ServerKind.Of("litellm", Text((await client.GetOwnAsync("/health/readiness", cancellationToken)).ReadJson(), "litellm_version")), "");
        }

        async Task<(ServerKind?, string)> TryAsync(string path, Func<JsonElement, string?> isIt, Func<JsonElement, string?> version)
        {
            var answer = await client.GetOwnAsync(path, cancellationToken);
            if (IsAway(answer))
            {
                return (null, answer.Why);
            }

            var body = answer.IsSuccess ? answer.ReadJson() : default;
            return (isIt(body) is null ? null : ServerKind.Of(candidate, version(body)), "");
        }
    }

    private static JsonElement? Member(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) ? value : null;

    private static string? Text(JsonElement parent, string name) =>
        Member(parent, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;

    private static FrozenDictionary<string, string> ReadHosts()
    {
        using var file = typeof(KindProbe).Assembly.GetManifestResourceStream("hosts.json")
            ?? throw new InvalidOperationException("The resource hosts.json is not part of the assembly.");
        using var document = JsonDocument.Parse(file);
        return document.RootElement.EnumerateObject().ToFrozenDictionary(p => p.Name, p => p.Value.GetString()!, StringComparer.OrdinalIgnoreCase);
    }
}
