namespace Gateway.Upstream;

/// <summary>One call to whatever serves a model, translated or passed through: where it may go, and what it has tried.</summary>
internal class UpstreamCall
{
    private readonly List<DestinationStats> _tried = [];
    private readonly List<ChatRoute> _excluded = [];

    public required ModelRoutes Routes { get; init; }

    /// <summary>
    /// Calls with one key prefer one destination: the tenant with the prompt cache key, conversation or chain. Null goes where there is the
    /// most room.
    /// </summary>
    public string? AffinityKey { get; init; }

    /// <summary>Whose call it is: tenants take turns where calls wait.</summary>
    public string Tenant { get; init; } = "";

    /// <summary>Destinations that failed this call already.</summary>
    public IReadOnlyList<DestinationStats> Tried => _tried;

    /// <summary>Attempts made so far, over all sends.</summary>
    public int Attempts { get; private set; }

    /// <summary>Attempts that may still be made.</summary>
    public int AttemptsLeft { get; private set; } = UpstreamRequests.MaxAttempts;

    /// <summary>An attempt waited for all of FirstByteTimeout.</summary>
    public bool WasSilent { get; private set; }

    /// <summary>The last attempt was answered with 429: another destination may have room, but nothing is worth waiting for.</summary>
    public bool WasThrottled { get; set; }

    /// <summary>Some upstream can not be asked this: the call wants less than others with the same routes.</summary>
    public bool HasExcluded => _excluded.Count > 0;

    public void BeginAttempt()
    {
        WasThrottled = false;
        Attempts++;
        AttemptsLeft--;
    }

    /// <summary>The destination failed the call: what is tried next goes elsewhere.</summary>
    public void FailedAt(DestinationStats destination, UpstreamFailure failure)
    {
        if (!HasTried(destination))
        {
            _tried.Add(destination);
        }

        if (failure == UpstreamFailure.FirstByteTimeout)
        {
            // Each silence lasts as long as a client may have patience for: one more wait, not two.
            WasSilent = true;
            AttemptsLeft = Math.Min(AttemptsLeft, 1);
        }
    }

    public bool HasTried(DestinationStats destination) => _tried.Contains(destination);

    /// <summary>The upstream of the route can not be asked this at all.</summary>
    public void Exclude(ChatRoute route) => _excluded.Add(route);

    public bool IsExcluded(ChatRoute route) => _excluded.Count > 0 && _excluded.Contains(route);
}
