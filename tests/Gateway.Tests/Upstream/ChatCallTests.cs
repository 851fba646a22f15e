using System.IO.Pipelines;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class ChatCallTests
{
    [Fact]
    public async Task Body_AConnectionStillReadsIt_IsInUseUntilItHasOrFails()
    {
        var call = new ChatCall { Route = new ChatRoute("main", "m", RouteProfile.Generic), Body = new byte[100], Stream = false };
        var slow = new Pipe(new PipeOptions(pauseWriterThreshold: 1, resumeWriterThreshold: 1, useSynchronizationContext: false));
        using var cancellation = new CancellationTokenSource();
        using var first = call.MakeContent();
        using var second = call.MakeContent();

        var reading = first.CopyToAsync(slow.Writer.AsStream(), cancellation.Token);
        await second.CopyToAsync(Stream.Null, CancellationToken.None);

        Assert.True(call.IsBodyInUse);
        Assert.Equal(100, first.Headers.ContentLength);
        await cancellation.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        Assert.False(call.IsBodyInUse);
    }
}
