using System.Net;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>A Chat Completions request in the form in which one upstream gets it, or why that upstream can not be asked.</summary>
internal sealed class ChatBody : IDisposable
{
    private readonly PooledBuffer? _buffer;
    private int _readers;

    /// <param name="json">The request.</param>
    /// <param name="stream">It asks for a stream.</param>
    public ChatBody(ReadOnlyMemory<byte> json, bool stream)
    {
        Json = json;
        Stream = stream;
    }

    /// <param name="buffer">The request; given back when the body is disposed.</param>
    /// <param name="stream">It asks for a stream.</param>
    public ChatBody(PooledBuffer buffer, bool stream)
        : this(buffer.WrittenMemory, stream) => _buffer = buffer;

    private ChatBody(ApiError error) => Error = error;

    public ReadOnlyMemory<byte> Json { get; }

    public bool Stream { get; }

    /// <summary>The upstream can not be asked this.</summary>
    public ApiError? Error { get; }

    /// <summary>
    /// A connection is still reading the body. That may go on after the answer, or after a failure, where requests and answers are streams of
    /// their own (HTTP/2): only when it is false the body's memory may be used for something else.
    /// </summary>
    public bool IsInUse => Volatile.Read(ref _readers) > 0;

    public static ChatBody Refused(ApiError error) => new(error);

    /// <summary>The body as the content of one attempt.</summary>
    public HttpContent MakeContent() => new Content(this);

    /// <summary>Gives the memory back, unless a connection still reads it: the next request to rent it may be another tenant's.</summary>
    public void Dispose()
    {
        if (!IsInUse)
        {
            _buffer?.Dispose();
        }
    }

    private sealed class Content(ChatBody body) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref body._readers);
            try
            {
                await stream.WriteAsync(body.Json, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref body._readers);
            }
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override bool TryComputeLength(out long length)
        {
            length = body.Json.Length;
            return true;
        }
    }
}
