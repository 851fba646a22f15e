using System.Text.Json.Nodes;

namespace Gateway.Upstream.Probing;

/// <summary>How far the probe of an upstream is.</summary>
internal enum ProbeStatus
{
    /// <summary>Nothing is known yet.</summary>
    Pending,

    /// <summary>Questions are open and are asked again later.</summary>
    Incomplete,

    /// <summary>Everything was answered.</summary>
    Complete,
}

/// <summary>What was found out about an upstream so far; replaced whole.</summary>
internal sealed record ProbeReport
{
    public static ProbeReport Pending { get; } = new();

    public ProbeStatus Status { get; init; }

    /// <summary>Null while it is not known.</summary>
    public ServerKind? Kind { get; init; }

    /// <summary>The model that was asked, by the upstream's name for it; null when none was.</summary>
    public string? Model { get; init; }

    /// <summary>Answers by the names of the questions, in the order in which they were asked.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Capabilities { get; init; } = [];

    /// <summary>Profile keys that differ from the kind's row.</summary>
    public JsonObject Learned { get; init; } = [];

    /// <summary>Requests that cost tokens, over all tries.</summary>
    public int Calls { get; init; }

    /// <summary>Why it is not complete; null when it is.</summary>
    public string? Reason { get; init; }

    /// <summary>When it was last asked, whatever came of it.</summary>
    public DateTimeOffset? At { get; init; }
}
