using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>Keeps the events of one response.</summary>
internal sealed class CollectedEvents(bool wantsEvents = true) : IResponseEventSink
{
    private readonly List<(string Type, string Json)> _events = [];

    public bool WantsEvents => wantsEvents;

    public IReadOnlyList<(string Type, string Json)> Events => _events;

    /// <summary>The types without <c>response.</c>, with spaces between.</summary>
    public string Types => string.Join(' ', _events.Select(e => e.Type["response.".Length..]));

    /// <summary>The body of the stream.</summary>
    public string Body => string.Concat(_events.Select(e => $"event: {e.Type}\ndata: {e.Json}\n\n")) + "data: [DONE]\n\n";

    public JsonElement Of(string type) => JsonElement.Parse(_events.Single(e => e.Type == type).Json);

    public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json) => _events.Add((Encoding.UTF8.GetString(type), Encoding.UTF8.GetString(json)));
}
