using Gateway.Telemetry;

namespace Gateway.Upstream;

/// <summary>Tells at the start which model servers are used and what they serve.</summary>
internal sealed class UpstreamLine(UpstreamRegistry registry, RouteTable routes) : IStartupLine
{
    private const int MostModels = 8;

    public async ValueTask<StartupText> DescribeAsync(CancellationToken cancellationToken)
    {
        try
        {
            await routes.WaitForFirstDiscoveryAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // The block is printed with what is known by now.
        }

        var models = routes.List();
        var lines = registry.All.Select(upstream => Describe(upstream, models)).ToList();
        return new StartupText("upstreams", lines)
        {
            Model = models.Count > 0 ? models[0].Id : null,
            Warnings = registry.All.Any(upstream => upstream.IsDemo)
                ? ["No model server is configured: the built-in demo upstream answers. Set Gateway:Upstreams:<name>:Address to use a real one."]
                : [],
        };
    }

    private string Describe(ConfiguredUpstream upstream, IReadOnlyList<ServedModel> models)
    {
        var served = models.Where(model => routes.Find(model.Id)?.All.Any(route => route.Upstream == upstream.Name) == true).Select(model => model.Id).ToList();
        var names = served.Count == 0 ? "no models known yet" : string.Join(", ", served.Take(MostModels));
        var more = served.Count > MostModels ? $", … ({served.Count} in all)" : string.Empty;
        return $"{upstream.Name} ({upstream.Profile.Name}): {names}{more}";
    }
}
