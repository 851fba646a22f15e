using Gateway.Protocol.Responses;
using Gateway.Tools.Hosted;

namespace Gateway.Tools;

/// <summary>One server-run call on its way.</summary>
internal sealed class ServerCall
{
    public required Tool Tool { get; init; }

    /// <summary>The arguments as the model wrote them.</summary>
    public required string Arguments { get; init; }

    public string? UpstreamId { get; init; }

    /// <summary>The server that runs it; null when there is no such tool.</summary>
    public DeclaredServer? Server { get; init; }

    /// <summary>The server's label, as the call's item shows it.</summary>
    public string Label => Server?.Label ?? string.Empty;

    /// <summary>The binding, when the tool is a hosted one.</summary>
    public HostedBinding? Binding { get; init; }

    /// <summary>The approval that lets it run, or null when it needs none.</summary>
    public string? ApprovalRequestId { get; init; }

    public required CallVerdict Verdict { get; init; }

    /// <summary>Its item is finished.</summary>
    public bool IsTold { get; set; }
}
