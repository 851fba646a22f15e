using System.Diagnostics.Metrics;
using Gateway.Testing;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Tests.Telemetry;

/// <summary>A test that counts measurements must not be told a wrong number.</summary>
public sealed class CollectedMetricsTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();

    private IMeterFactory Meters => _services.GetRequiredService<IMeterFactory>();

    public void Dispose() => _services.Dispose();

    [Fact]
    public void Measurements_MoreThanAreKept_AreAnErrorAndNotAWrongSum()
    {
        using var metrics = new CollectedMetrics(Meters);
        var counter = Meters.Create("test").CreateCounter<long>("counted");

        for (var i = 0; i < CollectedMetrics.MaxKept; i++)
        {
            counter.Add(1);
        }

        Assert.Equal(CollectedMetrics.MaxKept, metrics.Sum("counted"));
        counter.Add(1);
        Assert.Throws<InvalidOperationException>(() => metrics.Sum("counted"));
    }

    [Fact]
    public void Measurements_OfTheServersMemoryPool_TakeNoPlace()
    {
        using var metrics = new CollectedMetrics(Meters);
        Meters.Create("Microsoft.AspNetCore.MemoryPool").CreateCounter<long>("aspnetcore.memory_pool.rented").Add(1);

        Assert.Empty(metrics.Of("aspnetcore.memory_pool.rented"));
    }
}
