using System.Net;
using Gateway.Hosting;
using Gateway.Policy;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Time.Testing;

namespace Gateway.Tests.Hosting;

public sealed class DrainTests
{
    private readonly TaskCompletionSource _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _release = new(TaskCreationOptions.RunContinuationsAsynchronously);

    [Fact]
    public async Task Stop_RequestRuns_FinishesItRefusesPostsAndIsNotReady()
    {
        await using var gateway = await RunningGateway.StartAsync(map: MapHold);
        var running = gateway.Client.PostAsync(new Uri("/hold", UriKind.Relative), null);
        await _entered.Task;

        var stop = gateway.App.StopAsync();
        using var ready = await gateway.Client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        using var live = await gateway.Client.GetAsync(new Uri("/health/live", UriKind.Relative));
        using var refused = await gateway.Client.PostAsync(new Uri("/other", UriKind.Relative), null);

        Assert.False(stop.IsCompleted);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
        Assert.Contains("\"draining\"", await ready.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, live.StatusCode);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(1), refused.Headers.RetryAfter?.Delta);
        Assert.True(refused.Headers.ConnectionClose);

        _release.SetResult();
        using var answer = await running;
        Assert.Equal("done", await answer.Content.ReadAsStringAsync());
        await stop;
    }

    [Fact]
    public async Task Stop_NothingRuns_EndsAtOnce()
    {
        var time = new FakeTimeProvider();
        await using var gateway = await RunningGateway.StartAsync(configure: b => b.Services.AddSingleton<TimeProvider>(time));

        // The clock stands still: a wait for the timeout would never end.
        await gateway.App.StopAsync();

        Assert.True(gateway.App.Services.GetRequiredService<Drain>().IsDraining);
    }

    [Fact]
    public async Task Stop_RequestOutlastsTheTimeout_StopsWaiting()
    {
        var time = new FakeTimeProvider();
        using var lifetime = new StoppableLifetime();
        using var deadline = new StopDeadline();
        using var drain = new Drain(
            lifetime,
            Options.Create(new HostingOptions { DrainTimeout = TimeSpan.FromSeconds(30) }),
            deadline,
            time,
            NullLogger<Drain>.Instance);
        drain.RequestStarted();

        var stopping = drain.StoppingAsync(CancellationToken.None);
        time.Advance(TimeSpan.FromSeconds(29));
        Assert.False(stopping.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));

        await stopping;
        Assert.Equal(1, drain.Running);
        Assert.True(deadline.Over.IsCancellationRequested);
    }

    [Fact]
    public void StopSignal_BeforeTheHostStops_DrainsAtOnce()
    {
        using var lifetime = new StoppableLifetime();
        using var deadline = new StopDeadline();
        using var drain = new Drain(
            lifetime,
            Options.Create(new HostingOptions()),
            deadline,
            TimeProvider.System,
            NullLogger<Drain>.Instance);

        lifetime.StopApplication();

        Assert.True(drain.IsDraining);
        Assert.False(deadline.Over.IsCancellationRequested);
    }

    private void MapHold(WebApplication app)
    {
        app.MapPost("/hold", async context =>
        {
            _entered.SetResult();
            await _release.Task;
            await context.Response.WriteAsync("done");
        });
    }

    private sealed class StoppableLifetime : IHostApplicationLifetime, IDisposable
    {
        private readonly CancellationTokenSource _stopping = new();

        public CancellationToken ApplicationStarted => CancellationToken.None;

        public CancellationToken ApplicationStopping => _stopping.Token;

        public CancellationToken ApplicationStopped => CancellationToken.None;

        public void StopApplication() => _stopping.Cancel();

        public void Dispose() => _stopping.Dispose();
    }
}
