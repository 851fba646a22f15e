using System.Net;
using Gateway.Protocol.Responses;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>What every request to an upstream has in common, and how its failures are told apart.</summary>
internal static class UpstreamRequests
{
    /// <summary>Destinations asked for one call at most.</summary>
    public const int MaxAttempts = 3;

    private const string ApiSegment = "/v1";

    private static readonly TimeSpan LongestRetryAfter = TimeSpan.FromHours(1);

    /// <summary>Statuses that another destination may not have.</summary>
    public static bool IsServerFailure(int status) => status is 500 or 502 or 503 or 504 or 529;

    public static void AddCredentials(HttpRequestMessage request, ConfiguredUpstream upstream)
    {
        if (upstream.Authorization is { } authorization)
        {
            request.Headers.Authorization = authorization;
        }

        foreach (var (name, value) in upstream.Headers)
        {
            request.Headers.Remove(name);
            request.Headers.TryAddWithoutValidation(name, value);
        }
    }

    /// <summary>As YARP's forwarder asks: HTTP/2 where TLS offers it, else HTTP/1.1.</summary>
    public static void SetVersion(HttpRequestMessage request)
    {
        request.Version = HttpVersion.Version20;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
    }

    /// <summary>
    /// The connection ended before any answer. A kept-alive one may have been closed by the server a moment before; the handler itself repeats
    /// only requests without a body.
    /// </summary>
    public static bool IsLostConnection(Exception? error) => error is HttpRequestException
    {
        HttpRequestError: HttpRequestError.ResponseEnded,
    } or HttpRequestException
    {
        HttpRequestError: HttpRequestError.Unknown,
        InnerException: IOException,
    };

    /// <summary>What every request to a destination has: the version, the name that its server knows itself by, and the credentials.</summary>
    public static void Address(HttpRequestMessage request, ConfiguredUpstream upstream, DestinationState destination)
    {
        SetVersion(request);
        request.Headers.Host = destination.Model.Config.Host;
        AddCredentials(request, upstream);
    }

    /// <summary>Where a server's own endpoints are: beside the API, which is below its <c>/v1</c>.</summary>
    /// <param name="address">The base URL of the API, without a slash at the end.</param>
    public static string RootOf(string address) =>
        address.EndsWith(ApiSegment, StringComparison.OrdinalIgnoreCase) ? address[..^ApiSegment.Length] : address;

    /// <summary>The key of calls that prefer one destination: nobody's key is another tenant's.</summary>
    public static string AffinityKey(string tenant, string key) => $"{tenant}/{key}";

    /// <summary>What a client is told whose call has no place.</summary>
    public static ApiError ErrorOf(NoPlace missing) => missing switch
    {
        NoPlace.QueueFull => ApiError.UpstreamOverloaded("All model servers of this model are busy, and too many requests wait for them already."),
        NoPlace.QueueTimeout or NoPlace.Full => ApiError.UpstreamOverloaded("All model servers of this model are busy."),
        _ => ApiError.UpstreamUnavailable(),
    };

    /// <summary>How long the upstream asks to wait; null when it does not say.</summary>
    public static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time)
    {
        TimeSpan? wait = null;
        if (response.Headers.TryGetValues("retry-after-ms", out var values) && int.TryParse(values.FirstOrDefault(), out var milliseconds))
        {
            wait = TimeSpan.FromMilliseconds(milliseconds);
        }
        else if (response.Headers.RetryAfter is { } header)
        {
            wait = header.Delta ?? header.Date - time.GetUtcNow();
        }

        return wait is { } value ? TimeSpan.FromTicks(Math.Clamp(value.Ticks, 0, LongestRetryAfter.Ticks)) : null;
    }
}
