using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>A response that is told as one JSON body: no event is rendered, the final object is all.</summary>
internal sealed class JsonOutput : IResponseEventSink, ILoopOutput
{
    public static JsonOutput Instance { get; } = new();

    public bool WantsEvents => false;

    public bool IsStream => false;

    public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
    {
    }

    public ValueTask FlushAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;

    public ValueTask KeepAliveAsync(CancellationToken cancellationToken) => ValueTask.CompletedTask;
}
