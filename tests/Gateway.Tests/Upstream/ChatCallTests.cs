using System.IO.Pipelines;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class ChatCallTests
{
    [Fact]
    public async Task Body_AConnectionStillReadsIt_IsInUseUntilItHasOrFails()
    {
        var body = new ChatBody(new byte[100], stream: false);
        var slow = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        using var cancellation = new CancellationTokenSource();
        using var first = body.MakeContent();
        using var second = body.MakeContent();

        var reading = first.CopyToAsync(slow.Writer.AsStream(), cancellation.Token);
        await second.CopyToAsync(Stream.Null, CancellationToken.None);

        Assert.True(body.IsInUse);
        Assert.Equal(100, first.Headers.ContentLength);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.False(body.IsInUse);
    }
}
