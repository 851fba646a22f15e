using System.Net;

namespace Gateway.Upstream;

/// <summary>One Chat Completions request, which may take several attempts at different destinations.</summary>
internal sealed class ChatCall
{
    private int _readers;

    public required ChatRoute Route { get; init; }

    /// <summary>The request body, JSON.</summary>
    public required ReadOnlyMemory<byte> Body { get; set; }

    /// <summary>The body asks for a stream.</summary>
    public required bool Stream { get; init; }

    /// <summary>Calls with one key prefer one destination (the chain, conversation or prompt cache key).</summary>
    public string? AffinityKey { get; init; }

    /// <summary>Destinations that failed this call already; filled by the chat client, so that a further send goes elsewhere.</summary>
    public HashSet<string> Tried { get; } = new(StringComparer.Ordinal);

    /// <summary>Attempts made so far, over all sends.</summary>
    public int Attempts { get; set; }

    /// <summary>When the first attempt began, as a timestamp: all attempts share one FirstByteTimeout. Null before.</summary>
    public long? StartedAt { get; set; }

    /// <summary>
    /// A connection is still reading the body. That may go on after the answer, or after a failure, where requests and answers are streams of
    /// their own (HTTP/2): only when it is false the body's memory may be used for something else.
    /// </summary>
    public bool IsBodyInUse => Volatile.Read(ref _readers) > 0;

    /// <summary>The body as the content of one attempt.</summary>
    public HttpContent MakeContent() => new BodyContent(this);

    private sealed class BodyContent(ChatCall call) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            Interlocked.Increment(ref call._readers);
            try
            {
                await stream.WriteAsync(call.Body, cancellationToken);
            }
            finally
            {
                Interlocked.Decrement(ref call._readers);
            }
        }

        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) =>
            SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override bool TryComputeLength(out long length)
        {
            length = call.Body.Length;
            return true;
        }
    }
}
