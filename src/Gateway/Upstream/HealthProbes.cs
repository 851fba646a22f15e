using Yarp.ReverseProxy.Health;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>Makes the requests that ask destinations whether they are alive, and judges the answers.</summary>
internal sealed class HealthProbes(UpstreamRegistry registry, DestinationPicker picker, IDestinationHealthUpdater health) : IActiveHealthCheckPolicy, IProbingRequestFactory
{
    public const string Policy = "AnswerButServerError";

    /// <summary>Probes that fail in a row take a destination out; one answer brings it back.</summary>
    private const int FailuresToTakeOut = 3;

    public string Name => Policy;

    public HttpRequestMessage CreateRequest(ClusterModel cluster, DestinationModel destination)
    {
        var upstream = registry.Find(cluster.Config.ClusterId);
        var request = new HttpRequestMessage(HttpMethod.Get, AddressOf(destination.Config.Address, upstream?.Health?.Path ?? ""));
        UpstreamRequests.SetVersion(request);
        request.Headers.Host = destination.Config.Host;
        if (upstream is not null)
        {
            UpstreamRequests.AddCredentials(request, upstream);
        }

        return request;
    }

    public void ProbingCompleted(ClusterState cluster, IReadOnlyList<DestinationProbingResult> probingResults)
    {
        var changes = new List<NewActiveDestinationHealth>(probingResults.Count);
        foreach (var result in probingResults)
        {
            var stats = picker.Stats(cluster.ClusterId, result.Destination);
            var failed = result.Response is not { } response || (int)response.StatusCode >= 500;
            var failures = stats.CountProbe(failed);
            if (!failed)
            {
                picker.ReportProbeAnswered(stats, wasOut: result.Destination.Health.Active == DestinationHealth.Unhealthy);
            }

            if (!failed || failures >= FailuresToTakeOut)
            {
                changes.Add(new NewActiveDestinationHealth(result.Destination, failed ? DestinationHealth.Unhealthy : DestinationHealth.Healthy));
            }
        }

        health.SetActive(cluster, changes);
    }

    /// <summary>Below the base URL, or from the root of the server.</summary>
    private static Uri AddressOf(string address, string path) =>
        path.StartsWith('/') ? new Uri(new Uri(address), path) : new Uri($"{address.TrimEnd('/')}/{path}");
}
