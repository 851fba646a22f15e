using System.Text;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>One kind of burst of the scenario <c>tools</c>.</summary>
/// <param name="Model">A model of <see cref="WaitingModel"/>.</param>
/// <param name="Streams">With events.</param>
/// <param name="Concurrency">Requests at once.</param>
/// <param name="CallsTool">Two rounds with a tool call between them; otherwise one round without tools.</param>
internal sealed record ToolVariant(string Model, bool Streams, int Concurrency, bool CallsTool)
{
    /// <summary>What it shares with its counterpart.</summary>
    public string Name => $"tools, {Model}, {(Streams ? "streamed" : "JSON")}, {Concurrency} at once";

    public Call CallAt(Uri gateway, Uri toolServer)
    {
        var tools = CallsTool
            ? $$"""
                "tools":[{"type":"mcp","server_label":"{{ToolServer.Label}}","server_url":"{{new Uri(toolServer, ToolServer.Path)}}","require_approval":"never"}],
                """
            : string.Empty;
        return new Call
        {
            Uri = new Uri(gateway, "/v1/responses"),
            Body = Encoding.UTF8.GetBytes(
                $$"""{"model":"{{Model}}","stream":{{(Streams ? "true" : "false")}},"store":false,{{tools}}"input":"How long does it take?"}"""),
            Deltas = 0,
            Stamped = false,
            DeltaMark = [],
            EndMark = Streams ? "\"type\":\"response.completed\""u8.ToArray() : "\"status\":\"completed\""u8.ToArray(),
        };
    }
}
