using System.IO.Pipelines;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Responses;

/// <summary>
/// Frames events as server-sent events into the response's pipe. Nothing is sent, and the status can still change, until the first event.
/// </summary>
internal sealed class SseOutput : IResponseEventSink, ILoopOutput, IDisposable
{
    /// <summary>After this long without an event one is repeated: some clients count events, not bytes.</summary>
    public static readonly TimeSpan RepeatAfter = TimeSpan.FromMinutes(2);

    private readonly HttpResponse _response;

    /// <summary>Frames since the last flush. The response's own writer takes a lock for each call: it is called once a flush.</summary>
    private readonly PooledBuffer _frames = new(16 * 1024);
    private readonly TimeProvider _time;
    private readonly TimeSpan _keepAlive;
    private readonly TimeSpan _stall;
    private readonly CancellationToken _aborted;
    private long _lastWrite;
    private long _lastEvent;
    private bool _hasHeaders;

    /// <param name="response">Where the events go.</param>
    /// <param name="time">The clock.</param>
    /// <param name="keepAlive">The longest silence.</param>
    /// <param name="stall">How long the client may take nothing of what waits for it before it is cut off.</param>
    public SseOutput(HttpResponse response, TimeProvider time, TimeSpan keepAlive, TimeSpan stall)
    {
        _response = response;
        _time = time;
        _keepAlive = keepAlive;
        _stall = stall;
        _aborted = response.HttpContext.RequestAborted;
        _lastWrite = _lastEvent = time.GetTimestamp();
    }

    public bool WantsEvents => true;

    public void Dispose() => _frames.Dispose();

    public bool IsStream => true;

    /// <summary>The events of the response, for keeping it alive; set once, before the loop runs. Null when they are made elsewhere.</summary>
    public ResponseEventStream? Events { get; set; }

    public void Write(ReadOnlySpan<byte> type, ReadOnlySpan<byte> json)
    {
        PrepareHeaders();
        _frames.Append("event: "u8);
        _frames.Append(type);
        _frames.Append("\ndata: "u8);
        _frames.Append(json);
        _frames.Append("\n\n"u8);
    }

    /// <summary>Sends the status and the headers, so that a client knows that it is heard though there is nothing to tell so far.</summary>
    public async ValueTask BeginAsync(CancellationToken cancellationToken)
    {
        PrepareHeaders();
        await _response.BodyWriter.FlushAsync(cancellationToken);
    }

    /// <summary>Ends the stream behind the terminal event.</summary>
    public async ValueTask CompleteAsync(CancellationToken cancellationToken)
    {
        PrepareHeaders();
        _frames.Append("data: [DONE]\n\n"u8);
        await FlushAsync(cancellationToken);
    }

    public async ValueTask FlushAsync(CancellationToken cancellationToken)
    {
        if (_frames.Length > 0)
        {
            _lastEvent = _time.GetTimestamp();
            await SendAsync(cancellationToken);
        }
    }

    public ValueTask KeepAliveAsync(CancellationToken cancellationToken)
    {
        if (_time.GetElapsedTime(_lastWrite) < _keepAlive)
        {
            return ValueTask.CompletedTask;
        }

        // The wait for a first chunk ends here: from now on the status is 200 and a failure is an event.
        Events?.Start();
        if (_time.GetElapsedTime(_lastEvent) >= RepeatAfter)
        {
            Events?.RepeatInProgress();
        }

        if (_frames.Length > 0)
        {
            return FlushAsync(cancellationToken);
        }

        PrepareHeaders();
        _frames.Append(": keep-alive\n\n"u8);
        return SendAsync(cancellationToken);
    }

    private void PrepareHeaders()
    {
        if (_hasHeaders)
        {
            return;
        }

        _hasHeaders = true;
        _response.StatusCode = StatusCodes.Status200OK;
        _response.ContentType = "text/event-stream; charset=utf-8";
        _response.Headers.CacheControl = "no-cache";
        _response.Headers["X-Accel-Buffering"] = "no";
    }

    private async ValueTask SendAsync(CancellationToken cancellationToken)
    {
        _lastWrite = _time.GetTimestamp();

        // The writer takes the frames at once and then waits for the client. Only that wait is cancelled: with the token given to the write
        // nobody could tell whether the frames were taken, and they would be sent never or twice.
        var writer = _response.BodyWriter;
        var write = writer.WriteAsync(_frames.WrittenMemory, CancellationToken.None);
        _frames.Clear();
        FlushResult result;
        if (write.IsCompleted)
        {
            result = await write;
        }
        else
        {
            // A client that takes nothing would hold its place here and at a model server; a least rate would cut off slow ones too.
            using var stalled = _time.CreateTimer(static state => ((HttpContext)state!).Abort(), _response.HttpContext, _stall, Timeout.InfiniteTimeSpan);
            using var registration = cancellationToken.UnsafeRegister(static state => ((PipeWriter)state!).CancelPendingFlush(), writer);
            result = await write;
        }

        if (result.IsCanceled && !_aborted.IsCancellationRequested)
        {
            cancellationToken.ThrowIfCancellationRequested();
        }

        // A write to a client that has gone does not fail: the abort is told by the token alone.
        if (result.IsCompleted || _aborted.IsCancellationRequested)
        {
            throw new ClientGoneException(_aborted);
        }
    }
}
