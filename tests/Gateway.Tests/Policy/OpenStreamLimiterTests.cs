using System.Text.RegularExpressions;
using Gateway.Policy;
using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Policy;

public sealed partial class OpenStreamLimiterTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().AddSingleton<GatewayMetrics>().BuildServiceProvider();

    public void Dispose() => _services.Dispose();

    [Fact]
    public void TryEnter_ProcessLimitReached_Is429UntilOneLeaves()
    {
        var limiter = Make(openStreams: 2);
        var tenant = MakeTenant("a");
        Assert.Null(limiter.TryEnter(tenant, out var first));
        Assert.Null(limiter.TryEnter(tenant, out _));

        var error = limiter.TryEnter(tenant, out var none);

        Assert.Null(none);
        Assert.Equal((429, "rate_limit_exceeded"), (error?.Status, error?.Code));
        Assert.Matches(TryAgain(), error?.Message);
        Assert.NotNull(error?.RetryAfter);
        first?.Dispose();
        Assert.Null(limiter.TryEnter(tenant, out _));
    }

    [Fact]
    public void TryEnter_TenantLimitReached_OthersStillEnter()
    {
        var limiter = Make(openStreams: 10);
        var small = MakeTenant("small", openStreams: 1);
        Assert.Null(limiter.TryEnter(small, out _));

        Assert.Equal(429, limiter.TryEnter(small, out _)?.Status);
        Assert.Null(limiter.TryEnter(MakeTenant("other"), out _));
    }

    [Fact]
    public void Dispose_Twice_GivesOnePlaceBack()
    {
        var limiter = Make(openStreams: 10);
        limiter.TryEnter(MakeTenant("a"), out var slot);
        limiter.TryEnter(MakeTenant("a"), out _);

        slot?.Dispose();
        slot?.Dispose();

        Assert.Equal(1, limiter.Open);
    }

    [Fact]
    public async Task TryEnter_FromManyThreads_NeverExceedsTheLimit()
    {
        var limiter = Make(openStreams: 5);
        var tenant = MakeTenant("a");
        var exceeded = 0;

        await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Task.Run(() =>
        {
            for (var i = 0; i < 2000; i++)
            {
                if (limiter.TryEnter(tenant, out var slot) is null)
                {
                    Interlocked.Add(ref exceeded, limiter.Open > 5 ? 1 : 0);
                    slot?.Dispose();
                }
            }
        })));

        Assert.Equal((0, 0), (exceeded, limiter.Open));
    }

    private static Tenant MakeTenant(string name, int? openStreams = null) =>
        new(name, name, EffectivePolicy.From(new PolicyOptions { OpenStreams = openStreams }));

    private OpenStreamLimiter Make(int openStreams) =>
        new(Options.Create(new LimitsOptions { OpenStreams = openStreams }), _services.GetRequiredService<GatewayMetrics>());

    [GeneratedRegex(@"Please try again in \d+(\.\d+)?s\.$")]
    private static partial Regex TryAgain();
}
