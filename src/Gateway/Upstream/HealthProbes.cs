using System.Net;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
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
        if (registry.Find(cluster.Config.ClusterId) is not { } upstream)
        {
            return CreateRequestOfAnother(cluster.Config, destination.Config);
        }

        var request = new HttpRequestMessage(HttpMethod.Get, AddressOf(destination.Config.Address, upstream.Health?.Path ?? ""));
        UpstreamRequests.SetVersion(request);
        request.Headers.Host = destination.Config.Host;
        UpstreamRequests.AddCredentials(request, upstream);
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

    /// <summary>For a cluster of the operator's own: what YARP's factory, which this one stands in for, would ask.</summary>
    private static HttpRequestMessage CreateRequestOfAnother(ClusterConfig cluster, DestinationConfig destination)
    {
        var address = string.IsNullOrEmpty(destination.Health) ? destination.Address : destination.Health;
        var (path, query) = (cluster.HealthCheck?.Active?.Path ?? "", cluster.HealthCheck?.Active?.Query);
        // A path without a slash is that of an upstream which has just gone from the configuration.
        var pathString = path is "" or ['/', ..] ? new PathString(path) : new PathString($"/{path}");
        var request = new HttpRequestMessage(HttpMethod.Get, RequestUtilities.MakeDestinationAddress(address, pathString, new QueryString(query)))
        {
            Version = cluster.HttpRequest?.Version ?? HttpVersion.Version20,
            VersionPolicy = cluster.HttpRequest?.VersionPolicy ?? HttpVersionPolicy.RequestVersionOrLower,
        };
        request.Headers.Host = destination.Host;
        return request;
    }

    /// <summary>Below the base URL, or from the root of the server.</summary>
    private static Uri AddressOf(string address, string path) =>
        path.StartsWith('/') ? new Uri(new Uri(address), path) : new Uri($"{address.TrimEnd('/')}/{path}");
}
