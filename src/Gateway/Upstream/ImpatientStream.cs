namespace Gateway.Upstream;

/// <summary>
/// The body of an answer on its way to a client that may take nothing of what waits for it only for so long. Without it such a client would hold a place
/// at a model server; the server's own least rate would cut off slow clients too.
/// </summary>
internal sealed class ImpatientStream(HttpContext context, TimeSpan stall, TimeProvider time) : Stream
{
    private readonly Stream _body = context.Response.Body;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var write = _body.WriteAsync(buffer, cancellationToken);
        return write.IsCompleted ? write : WaitAsync(write.AsTask());
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken)
    {
        var flush = _body.FlushAsync(cancellationToken);
        return flush.IsCompleted ? flush : WaitAsync(flush).AsTask();
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async ValueTask WaitAsync(Task taken)
    {
        using var stalled = time.CreateTimer(static state => ((HttpContext)state!).Abort(), context, stall, Timeout.InfiniteTimeSpan);
        await taken;
    }
}
