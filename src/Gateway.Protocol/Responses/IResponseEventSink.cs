namespace Gateway.Protocol.Responses;

/// <summary>Takes the events of one response, each rendered once. SSE frames them; a JSON body needs only the last one's object.</summary>
public interface IResponseEventSink
{
    /// <summary>False when nobody sees events (a JSON body): then none are rendered.</summary>
    bool WantsEvents { get; }

    /// <summary>Takes one event. The spans are valid during the call only.</summary>
    /// <param name="type">The event's <c>type</c>.</param>
    /// <param name="json">The event as one line of JSON.</param>
    void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json);
}
