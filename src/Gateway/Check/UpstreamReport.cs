using System.Text.Json;

namespace Gateway.Check;

/// <summary>What a gateway tells its administrators of a model server (<c>/admin/upstreams</c>, docs/operations.md).</summary>
internal sealed record UpstreamReport
{
    public required string Name { get; init; }

    /// <summary>The profile that it is spoken to with.</summary>
    public required string Profile { get; init; }

    /// <summary>How far it was asked what it takes: a status of <c>probe</c>; null when it is not asked.</summary>
    public string? Probe { get; init; }

    /// <summary>The kind of server that it turned out to be, with its version; null when unknown.</summary>
    public string? Server { get; init; }

    public required int Destinations { get; init; }

    /// <summary>Those that requests are sent to.</summary>
    public required int Available { get; init; }

    /// <summary>What it takes, by name.</summary>
    public required IReadOnlyList<KeyValuePair<string, string>> Capabilities { get; init; }

    /// <summary>Reads the answer of <c>/admin/upstreams</c>.</summary>
    /// <param name="json">The answer.</param>
    /// <param name="plain">Makes its texts fit to be printed.</param>
    public static IReadOnlyList<UpstreamReport> Read(JsonElement json, PlainText plain) => [.. json.List("data").Select(upstream => ReadOne(upstream, plain))];

    private static UpstreamReport ReadOne(JsonElement upstream, PlainText plain)
    {
        var destinations = upstream.List("destinations");
        var capabilities = upstream.At("probe", "capabilities");
        return new UpstreamReport
        {
            Name = plain.Clean(upstream.Text("name") ?? ""),
            Profile = plain.Clean(upstream.Text("profile", "name") ?? ""),
            Probe = upstream.Text("probe", "status") is { } status ? plain.Clean(status) : null,
            Server = upstream.Text("probe", "kind") is { } kind ? plain.Clean($"{kind} {upstream.Text("probe", "version")}".TrimEnd()) : null,
            Destinations = destinations.Count,
            Available = destinations.Count(destination => destination.Truth("available") == true),
            Capabilities = capabilities.ValueKind == JsonValueKind.Object
                ? [.. capabilities.EnumerateObject().Select(member => KeyValuePair.Create(plain.Clean(member.Name), plain.Clean(member.Value.ToString())))]
                : [],
        };
    }
}
