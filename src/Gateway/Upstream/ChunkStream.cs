using Gateway.Protocol.Sse;

namespace Gateway.Upstream;

/// <summary>What a wait for more of a stream ended with.</summary>
internal enum ChunkWait
{
    /// <summary>Bytes arrived.</summary>
    Data,

    /// <summary>Nothing arrived yet: time to look at the clock.</summary>
    Tick,

    /// <summary>The stream ended.</summary>
    End,
}

/// <summary>The chunks of an upstream's event stream, taken one by one from what has arrived.</summary>
internal sealed class ChunkStream : IDisposable
{
    private readonly SseReader _events;
    private readonly TimedReader _reader;
    private Memory<byte> _buffer;
    private bool _ended;

    /// <param name="body">The body of a reply.</param>
    /// <param name="time">The clock.</param>
    /// <param name="tick">How often a wait returns although nothing arrived.</param>
    /// <param name="maxEventBytes">The longest event.</param>
    public ChunkStream(Stream body, TimeProvider time, TimeSpan tick, int maxEventBytes)
    {
        _events = new SseReader(maxEventBytes);
        _reader = new TimedReader(body, time, tick);
    }

    /// <summary><c>[DONE]</c> came.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Takes the next whole chunk in hand; payloads that are not JSON objects (keep-alives) are skipped.</summary>
    public bool TryRead(out ReadOnlySpan<byte> json)
    {
        while (!IsDone && _events.TryRead(out json))
        {
            var trimmed = json.TrimStart(" \t\n"u8);
            if (trimmed.StartsWith("{"u8))
            {
                json = trimmed;
                return true;
            }

            IsDone = trimmed.StartsWith("[DONE]"u8);
        }

        json = default;
        return false;
    }

    /// <summary>Waits for more.</summary>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="InvalidDataException">An event is longer than the limit.</exception>
    public async ValueTask<ChunkWait> WaitAsync(CancellationToken cancellationToken)
    {
        if (_ended)
        {
            return ChunkWait.End;
        }

        if (_buffer.IsEmpty)
        {
            _buffer = _events.GetBuffer();
        }

        if (!await _reader.ReadAsync(_buffer, cancellationToken))
        {
            return ChunkWait.Tick;
        }

        _buffer = default;
        var count = _reader.TakeResult();
        if (count > 0)
        {
            _events.Advance(count);
            return ChunkWait.Data;
        }

        _ended = true;
        _events.Complete();
        return ChunkWait.End;
    }

    public void Dispose()
    {
        _reader.Dispose();
        if (_buffer.IsEmpty)
        {
            _events.Dispose();
        }

        // With a read pending the buffer stays out of the pool: the socket may still write into it.
    }
}
