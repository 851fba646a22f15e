using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Gateway.Protocol.Translation;
using Gateway.Upstream.Probing;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>One upstream as configured, with what was learned about it since: its models, its rotated key, its refused parameters.</summary>
internal sealed class ConfiguredUpstream
{
    private string? _apiKey;
    private AuthenticationHeaderValue? _authorization;
    private RouteProfile _profile;
    private IReadOnlyList<DiscoveredModel>? _discovered;
    private ProbeReport _probe = ProbeReport.Pending;
    private IReadOnlyList<Func<RouteProfile, RouteProfile>> _remembered = [];

    public ConfiguredUpstream(RouteProfile profile, string? apiKey)
    {
        _profile = profile;
        SetApiKey(apiKey);
    }

    /// <summary>The name in the configuration, which is the YARP cluster's id.</summary>
    public required string Name { get; init; }

    /// <summary>Base URLs without a slash at the end.</summary>
    public required IReadOnlyList<string> Addresses { get; init; }

    public required IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; }

    public required IReadOnlyList<ModelRule> Models { get; init; }

    public string? ApiKeyFile { get; init; }

    public string? CaFile { get; init; }

    public required TimeSpan ConnectTimeout { get; init; }

    public required TimeSpan FirstByteTimeout { get; init; }

    public required TimeSpan IdleTimeout { get; init; }

    /// <summary>Lower is preferred.</summary>
    public int Priority { get; init; }

    /// <summary>Share of the load of each destination among those of equal priority.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>The most requests at once at each destination; null for any number.</summary>
    public int? MaxConcurrentRequests { get; init; }

    /// <summary>The most requests that wait for a place.</summary>
    public int MaxQueued { get; init; }

    /// <summary>The longest wait for a place.</summary>
    public TimeSpan QueueTimeout { get; init; }

    /// <summary>How its destinations are asked whether they are alive; null when they are not.</summary>
    public HealthOptions? Health { get; init; }

    /// <summary>How many calls may be tried again that prefer this upstream.</summary>
    public RetryBudget Retries { get; } = new();

    /// <summary>The built-in upstream that answers inside the process.</summary>
    public bool IsDemo { get; init; }

    /// <summary>Its profile is <c>auto</c>: what it is and takes is found out by asking it.</summary>
    public bool IsAuto { get; init; }

    /// <summary>The operator's single profile keys, spelt as in <c>profiles.json</c>: they win over everything that is found out.</summary>
    public JsonObject Overrides { get; init; } = [];

    /// <summary>Everything configured, as text: an upstream whose text is the same after a reload is the same object.</summary>
    public required string Fingerprint { get; init; }

    /// <summary>Its <c>/models</c> matters: no names are configured, or globs, which the list of models is filtered by.</summary>
    public bool NeedsDiscovery => Models.Count == 0 || Models.Any(m => m.IsGlob);

    public AuthenticationHeaderValue? Authorization => Volatile.Read(ref _authorization);

    public RouteProfile Profile
    {
        get => Volatile.Read(ref _profile);
        set => Volatile.Write(ref _profile, value);
    }

    /// <summary>What was found out by asking it.</summary>
    public ProbeReport Probe
    {
        get => Volatile.Read(ref _probe);
        set => Volatile.Write(ref _probe, value);
    }

    /// <summary>What was learned from refusals, in order; replaced whole, under the route table's lock alone. Each names one thing to leave out, so they are few.</summary>
    public IReadOnlyList<Func<RouteProfile, RouteProfile>> Remembered
    {
        get => Volatile.Read(ref _remembered);
        set => Volatile.Write(ref _remembered, value);
    }

    /// <summary>The models it named last; null while it has not answered yet.</summary>
    public IReadOnlyList<DiscoveredModel>? Discovered
    {
        get => Volatile.Read(ref _discovered);
        set => Volatile.Write(ref _discovered, value);
    }

    /// <summary>The tokens that a model can hold, as configured or as the upstream names them; null when neither is known.</summary>
    /// <param name="model">The upstream's name of it.</param>
    public int? WindowOf(string model)
    {
        if (Profile.ContextWindow is { } configured)
        {
            return configured;
        }

        foreach (var known in Discovered ?? [])
        {
            if (known.Id == model)
            {
                return known.Window;
            }
        }

        return null;
    }

    /// <summary>Takes over what is known of the upstream of this name as it was configured before: its models until it names them anew, the rest if it is spoken to in the same way.</summary>
    public void TakeOver(ConfiguredUpstream old)
    {
        if (NeedsDiscovery)
        {
            Discovered = old.Discovered;
        }

        if (IsSpokenToAs(old))
        {
            (Profile, Remembered, Probe) = (old.Profile, old.Remembered, old.Probe);
        }
    }

    /// <summary>The same servers, with the same profile and overrides: what was learned about one is true of the other.</summary>
    public bool IsSpokenToAs(ConfiguredUpstream other) =>
        Addresses.SequenceEqual(other.Addresses, StringComparer.OrdinalIgnoreCase)
        && IsAuto == other.IsAuto && (IsAuto || Profile.Name == other.Profile.Name)
        && JsonNode.DeepEquals(Overrides, other.Overrides);

    /// <summary>The destination is one of this configuration: clusters follow it only when names are looked up.</summary>
    public bool Has(DestinationState destination) => Addresses.Any(address => UpstreamDestinationResolver.IsOf(destination.DestinationId, address));

    public void SetApiKey(string? key)
    {
        if (!string.Equals(key, _apiKey, StringComparison.Ordinal))
        {
            _apiKey = key;
            Volatile.Write(ref _authorization, key is null ? null : new AuthenticationHeaderValue("Bearer", key));
        }
    }

    /// <summary>The text without any secret of this upstream: servers quote refused keys back.</summary>
    public string HideSecrets(string text)
    {
        if (_apiKey is { Length: > 0 } key)
        {
            text = text.Replace(key, "[key]", StringComparison.Ordinal);
        }

        foreach (var (_, value) in Headers)
        {
            text = Hide(text, value);
            // "Bearer KEY": servers quote the key alone.
            text = Hide(text, value[(value.LastIndexOf(' ') + 1)..]);
        }

        return text;

        // Short values ("true", "v2") are settings, not secrets, and would tear holes into words.
        static string Hide(string text, string value) => value.Length >= 8 ? text.Replace(value, "[key]", StringComparison.Ordinal) : text;
    }
}
