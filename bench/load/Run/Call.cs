using System.Net.Http.Headers;
using System.Text;

namespace Gateway.Load.Run;

/// <summary>One request, and how its right answer is recognised. The same text goes to every target.</summary>
internal sealed record Call
{
    private static readonly MediaTypeHeaderValue JsonType = new("application/json");

    public required Uri Uri { get; init; }

    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>How many deltas must come; 0 for a JSON answer.</summary>
    public required int Deltas { get; init; }

    public required bool Stamped { get; init; }

    /// <summary>What stands once in each delta's line, directly before its text.</summary>
    public required byte[] DeltaMark { get; init; }

    /// <summary>What an answer that is complete contains.</summary>
    public required byte[] EndMark { get; init; }

    public static Call Create(Target target, Scenario scenario, string text)
    {
        var stream = scenario.Deltas > 0 ? "true" : "false";
        return target.SpeaksResponses
            ? new Call
            {
                Uri = new Uri(target.Address, "/v1/responses"),
                Body = ResponsesBody(scenario.Model, stream, target.Stores, text, parent: null),
                Deltas = scenario.Deltas,
                Stamped = scenario.Stamped,
                DeltaMark = "\"delta\":\""u8.ToArray(),
                EndMark = "\"status\":\"completed\""u8.ToArray(),
            }
            : new Call
            {
                Uri = new Uri(target.Address, "/v1/chat/completions"),
                Body = Encoding.UTF8.GetBytes(
                    $$"""{"model":"{{scenario.Model}}","stream":{{stream}},"messages":[{"role":"user","content":"{{text}}"}]}"""),
                Deltas = scenario.Deltas,
                Stamped = scenario.Stamped,
                DeltaMark = "\"delta\":{\"content\":\""u8.ToArray(),
                EndMark = "\"finish_reason\":\"stop\""u8.ToArray(),
            };
    }

    /// <summary>A turn of a chain, not streamed.</summary>
    /// <param name="target">Where it is sent.</param>
    /// <param name="scenario">Names the model.</param>
    /// <param name="text">The input.</param>
    /// <param name="parent">The response that it continues; null for the first turn.</param>
    /// <param name="cacheKey">The <c>prompt_cache_key</c>, which goes before the chain where a server is chosen; null for none.</param>
    public Call ContinueFrom(Target target, Scenario scenario, string text, string? parent, string? cacheKey = null) =>
        this with { Body = ResponsesBody(scenario.Model, "false", target.Stores, text, parent, cacheKey: cacheKey) };

    /// <summary>The same stream, made in the background.</summary>
    public Call InBackground(Scenario scenario, string text) =>
        ToItsEnd() with { Body = ResponsesBody(scenario.Model, "true", store: true, text, parent: null, background: true) };

    /// <summary>The same stream of a gateway, complete only with its last event: an item of it may be complete in one that is cut off.</summary>
    public Call ToItsEnd() => this with { EndMark = "\"type\":\"response.completed\""u8.ToArray() };

    /// <summary>A request for the events of what this call has made.</summary>
    public Call Replay(Uri uri) => this with { Uri = uri, Body = default };

    /// <summary>With a body it is a POST, without one a GET.</summary>
    public HttpRequestMessage ToMessage()
    {
        if (Body.IsEmpty)
        {
            return new HttpRequestMessage(HttpMethod.Get, Uri);
        }

        var content = new ReadOnlyMemoryContent(Body);
        content.Headers.ContentType = JsonType;
        return new HttpRequestMessage(HttpMethod.Post, Uri) { Content = content };
    }

    private static byte[] ResponsesBody(string model, string stream, bool store, string text, string? parent, bool background = false, string? cacheKey = null)
    {
        var continuation = parent is null ? string.Empty : $"\"previous_response_id\":\"{parent}\",";
        var kind = background ? "\"background\":true," : string.Empty;
        var key = cacheKey is null ? string.Empty : $"\"prompt_cache_key\":\"{cacheKey}\",";
        return Encoding.UTF8.GetBytes(
            $$"""{"model":"{{model}}","stream":{{stream}},"store":{{(store ? "true" : "false")}},{{continuation}}{{kind}}{{key}}"input":"{{text}}"}""");
    }
}
