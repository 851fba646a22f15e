using System.Diagnostics.Metrics;
using BenchmarkDotNet.Attributes;
using Gateway.Protocol.Translation;
using Gateway.Upstream;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Yarp.ReverseProxy.Model;

namespace Gateway.Benchmarks;

/// <summary>Finding a destination for a call and giving its place back: once for each attempt of each round.</summary>
public class DestinationPickBenchmarks
{
    private DestinationPicker? _picker;
    private UpstreamCall? _keyed;
    private UpstreamCall? _free;

    [Params(4, 64)]
    public int Destinations { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var configuration = new ConfigurationBuilder()
            .AddInMemoryCollection([new("Gateway:Upstreams:main:Address", "http://127.0.0.1:1/v1")]).Build();
        var meters = new ServiceCollection().AddMetrics().BuildServiceProvider().GetRequiredService<IMeterFactory>();
        _picker = new DestinationPicker(
            new UpstreamRegistry(configuration, NullLogger<UpstreamRegistry>.Instance), Options.Create(new RoutingOptions()), new UpstreamMetrics(meters),
            TimeProvider.System, NullLogger<DestinationPicker>.Instance);
        DestinationState[] all = [.. Enumerable.Range(0, Destinations).Select(i => new DestinationState($"http://10.0.0.{i}:8000/v1"))];
        _picker.OnClusterAdded(new ClusterState("main") { DestinationsState = new ClusterDestinationsState(all, all) });
        var routes = new ModelRoutes([new ChatRoute("main", "m", RouteProfile.Generic)]);
        _keyed = new UpstreamCall { Routes = routes, AffinityKey = "default/0123456789abcdef0123456789abcdef" };
        _free = new UpstreamCall { Routes = routes };
    }

    [Benchmark]
    public bool WithKey() => PickAndLeave(_keyed!);

    [Benchmark]
    public bool WithoutKey() => PickAndLeave(_free!);

    private bool PickAndLeave(UpstreamCall call)
    {
        var place = _picker!.TryPick(call, again: false);
        _picker.Leave(place);
        return place.IsTaken;
    }
}
