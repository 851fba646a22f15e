using System.Diagnostics;

namespace Gateway.Telemetry;

/// <summary>The spans of a request below the server's own: the chain's load, each upstream round, the commit. Costs nothing unheard.</summary>
internal static class GatewayActivitySource
{
    private static readonly ActivitySource Source = new(TelemetryNames.Gateway);

    /// <summary>Reading a chain from the store.</summary>
    public static Activity? StartChainLoad() => Source.StartActivity("gateway.chain.load");

    /// <summary>Writing a turn to the store.</summary>
    public static Activity? StartCommit() => Source.StartActivity("gateway.turn.commit");

    /// <summary>One Chat Completions call, named as the conventions want: operation and model.</summary>
    /// <param name="upstream">The upstream's name in the configuration.</param>
    /// <param name="model">The model's name there.</param>
    public static Activity? StartRound(string upstream, string model)
    {
        if (!Source.HasListeners())
        {
            return null;
        }

        var activity = Source.StartActivity($"chat {model}", ActivityKind.Client);
        return activity?
            .SetTag(TelemetryNames.OperationName, "chat")
            .SetTag(TelemetryNames.RequestModel, model)
            .SetTag(TelemetryNames.Upstream, upstream);
    }

    /// <summary>Connecting to an MCP server, or reading the list of its tools.</summary>
    /// <param name="step">connect or list.</param>
    /// <param name="host">The server's host: the rest of its URL may hold a secret.</param>
    public static Activity? StartMcp(string step, string host) =>
        Source.HasListeners() ? Source.StartActivity($"gateway.mcp.{step}", ActivityKind.Client)?.SetTag(TelemetryNames.ServerAddress, host) : null;

    /// <summary>Marks the span as failed with the error's code, never with a message.</summary>
    public static void Fail(Activity? activity, string code) =>
        activity?.SetTag(TelemetryNames.ErrorType, code).SetStatus(ActivityStatusCode.Error);
}
