using System.IO.Pipelines;
using System.Text;
using Gateway.Responses;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Tests.Responses;

public sealed class SseOutputTests
{
    [Fact]
    public async Task Flush_IsCancelledWhileTheClientDoesNotRead_WritesEachEventOnce()
    {
        var client = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        using var output = new SseOutput(ResponseTo(client.Writer), TimeProvider.System, TimeSpan.FromSeconds(15), TimeSpan.FromMinutes(2));
        using var cancellation = new CancellationTokenSource();
        output.Write("a"u8, "{}"u8);
        var flush = output.FlushAsync(cancellation.Token).AsTask();

        await cancellation.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => flush);
        output.Write("b"u8, "{}"u8);
        var end = output.CompleteAsync(CancellationToken.None).AsTask();
        using var seen = new MemoryStream();
        var copy = client.Reader.CopyToAsync(seen);
        await end;
        await client.Writer.CompleteAsync();
        await copy;
        Assert.Equal("event: a\ndata: {}\n\nevent: b\ndata: {}\n\ndata: [DONE]\n\n", Encoding.UTF8.GetString(seen.ToArray()));
    }

    private static HttpResponse ResponseTo(PipeWriter writer)
    {
        var http = new DefaultHttpContext();
        http.Features.Set<IHttpResponseBodyFeature>(new PipeBody(writer));
        return http.Response;
    }

    private sealed class PipeBody(PipeWriter writer) : IHttpResponseBodyFeature
    {
        public Stream Stream => writer.AsStream();

        public PipeWriter Writer => writer;

        public void DisableBuffering()
        {
        }

        public Task StartAsync(CancellationToken cancellationToken = default) => Task.CompletedTask;

        public Task SendFileAsync(string path, long offset, long? count, CancellationToken cancellationToken = default) => throw new NotSupportedException();

        public Task CompleteAsync() => Task.CompletedTask;
    }
}
