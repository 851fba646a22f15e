namespace Gateway.Upstream;

/// <summary>
/// Everything that serves one model, the preferred upstreams first: neighbours of equal priority are a tier and share the load, and the next
/// tier is for when the first has no place.
/// </summary>
internal sealed class ModelRoutes
{
    private Candidates? _candidates;

    /// <param name="routes">At least one.</param>
    public ModelRoutes(IEnumerable<ChatRoute> routes) => All = [.. routes.OrderBy(static route => route.Priority)];

    public IReadOnlyList<ChatRoute> All { get; }

    /// <summary>The one that is preferred.</summary>
    public ChatRoute First => All[0];

    /// <summary>What the picker made of these routes last. Its own.</summary>
    public Candidates? Candidates
    {
        get => Volatile.Read(ref _candidates);
        set => Volatile.Write(ref _candidates, value);
    }
}
