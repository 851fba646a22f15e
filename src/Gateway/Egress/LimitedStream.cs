namespace Gateway.Egress;

/// <summary>
/// Counts what is read and throws beyond the limit. In an event stream the count begins anew behind each blank line, where an event ends.
/// </summary>
internal sealed class LimitedStream(Stream inner, int limit, bool perEvent, Func<Exception> tooLarge) : Stream
{
    private long _count;
    private bool _lineIsEmpty = true;
    private bool _afterReturn;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var read = inner.Read(buffer);
        Count(buffer[..read]);
        return read;
    }

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await inner.ReadAsync(buffer, cancellationToken);
        Count(buffer.Span[..read]);
        return read;
    }

    public override void Flush()
    {
    }

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override async ValueTask DisposeAsync()
    {
        await inner.DisposeAsync();
        await base.DisposeAsync();
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private void Count(ReadOnlySpan<byte> read)
    {
        while (perEvent && !read.IsEmpty)
        {
            var end = read.IndexOfAny((byte)'\n', (byte)'\r');
            var text = end < 0 ? read.Length : end;
            Add(text);
            if (text > 0)
            {
                (_lineIsEmpty, _afterReturn) = (false, false);
            }

            if (end < 0)
            {
                return;
            }

            EndLine(read[end]);
            read = read[(end + 1)..];
        }

        Add(read.Length);
    }

    private void EndLine(byte lineEnd)
    {
        Add(1);
        // The second half of CR LF ends no line of its own.
        if (lineEnd != '\n' || !_afterReturn)
        {
            if (_lineIsEmpty)
            {
                _count = 0;
            }

            _lineIsEmpty = true;
        }

        _afterReturn = lineEnd == '\r';
    }

    private void Add(int count)
    {
        _count += count;
        if (_count > limit)
        {
            throw tooLarge();
        }
    }
}
