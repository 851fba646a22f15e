using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>
/// Frames events as server-sent events into the response's pipe. Nothing is sent, and the status can still change, until the first event.
/// </summary>
internal sealed class SseOutput : IResponseEventSink, ILoopOutput
{
    /// <summary>After this long without an event one is repeated: some clients count events, not bytes.</summary>
    private static readonly TimeSpan RepeatAfter = TimeSpan.FromMinutes(2);

    private readonly HttpResponse _response;
    private readonly TimeProvider _time;
    private readonly TimeSpan _keepAlive;
    private readonly CancellationToken _aborted;
    private long _lastWrite;
    private long _lastEvent;
    private bool _hasHeaders;
    private bool _dirty;

    public SseOutput(HttpResponse response, TimeProvider time, TimeSpan keepAlive)
    {
        _response = response;
        _time = time;
        _keepAlive = keepAlive;
        _aborted = response.HttpContext.RequestAborted;
        _lastWrite = _lastEvent = time.GetTimestamp();
    }

    public bool WantsEvents => true;

    public bool IsStream => true;

    /// <summary>The events of the response, for keeping it alive; set once, before the loop runs.</summary>
    public ResponseEventStream? Events { get; set; }

    public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
    {
        if (!_hasHeaders)
        {
            _hasHeaders = true;
            PrepareHeaders();
        }

        var writer = _response.BodyWriter;
        var length = "event: "u8.Length + type.Length + "\ndata: "u8.Length + json.Length + 2;
        var span = writer.GetSpan(length);
        "event: "u8.CopyTo(span);
        var at = "event: "u8.Length;
        type.CopyTo(span[at..]);
        at += type.Length;
        "\ndata: "u8.CopyTo(span[at..]);
        at += "\ndata: "u8.Length;
        json.CopyTo(span[at..]);
        at += json.Length;
        span[at] = (byte)'\n';
        span[at + 1] = (byte)'\n';
        writer.Advance(length);
        _dirty = true;
    }

    /// <summary>Ends the stream behind the terminal event.</summary>
    public async ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        WriteRaw("data: [DONE]\n\n"u8);
        await FlushAsync(cancellationToken);
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (!_dirty)
        {
            return;
        }

        _dirty = false;
        _lastWrite = _lastEvent = _time.GetTimestamp();
        await FlushPipeAsync(cancellationToken);
    }

    public ValueTask KeepAliveAsync(CancellationToken cancellationToken)
    {
        if (_time.GetElapsedTime(_lastWrite) < _keepAlive)
        {
            return ValueTask.CompletedTask;
        }

        // The wait for a first chunk ends here: from now on the status is 200 and a failure is an event.
        Events!.Start();
        if (_time.GetElapsedTime(_lastEvent) >= RepeatAfter)
        {
            Events.RepeatInProgress();
        }

        if (_dirty)
        {
            return FlushAsync(cancellationToken);
        }

        WriteRaw(": keep-alive\n\n"u8);
        _dirty = false;
        _lastWrite = _time.GetTimestamp();
        return FlushPipeAsync(cancellationToken);
    }

    private void PrepareHeaders()
    {
        _response.StatusCode = StatusCodes.Status200OK;
        _response.ContentType = "text/event-stream; charset=utf-8";
        _response.Headers.CacheControl = "no-cache";
        _response.Headers["X-Accel-Buffering"] = "no";
    }

    private void WriteRaw(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(_response.BodyWriter.GetSpan(bytes.Length));
        _response.BodyWriter.Advance(bytes.Length);
        _dirty = true;
    }

    private async ValueTask FlushPipeAsync(CancellationToken cancellationToken)
    {
        // A flush to a client that has gone does not fail: the abort is told by the token alone.
        var result = await _response.BodyWriter.FlushAsync(cancellationToken);
        if (result.IsCompleted || _aborted.IsCancellationRequested)
        {
            throw new ClientGoneException(_aborted);
        }
    }
}
