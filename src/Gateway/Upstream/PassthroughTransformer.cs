using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// What changes in a request on its way through: the address, and every credential. In the answer nothing, except that some statuses are kept
/// back: <see cref="KeptBack"/> is then set and nothing was written.
/// </summary>
internal sealed class PassthroughTransformer(
    ConfiguredUpstream upstream, DestinationState destination, string path, bool fresh, bool elsewhereLeft, TimeProvider time) : HttpTransformer
{
    /// <summary>The client's own credentials, and what belongs to its account elsewhere.</summary>
    private static readonly string[] Withheld =
        ["Authorization", "Cookie", "api-key", "x-api-key", "OpenAI-Organization", "OpenAI-Project", "x-forwarded-for", "Forwarded"];

    /// <summary>The answer's status when it was not passed on.</summary>
    public int? KeptBack { get; private set; }

    /// <summary>The answer's status; null while there is none.</summary>
    public int? Status { get; private set; }

    /// <summary>All of the answer was passed on.</summary>
    public bool IsWhole { get; private set; }

    /// <summary>How long the upstream asks to wait; null when it does not say.</summary>
    public TimeSpan? RetryAfter { get; private set; }

    public override async ValueTask TransformRequestAsync(
        HttpContext httpContext, HttpRequestMessage proxyRequest, string destinationPrefix, CancellationToken cancellationToken)
    {
        await base.TransformRequestAsync(httpContext, proxyRequest, destinationPrefix, cancellationToken);
        foreach (var name in Withheld)
        {
            proxyRequest.Headers.Remove(name);
        }

        proxyRequest.RequestUri = RequestUtilities.MakeDestinationAddress(destinationPrefix.TrimEnd('/'), path, httpContext.Request.QueryString);
        // Null takes the name in the address; the client's Host is this gateway's own.
        proxyRequest.Headers.Host = destination.Model.Config.Host;
        UpstreamRequests.AddCredentials(proxyRequest, upstream);
        if (fresh)
        {
            proxyRequest.Options.Set(FreshConnectionHandler.FreshConnection, true);
        }
    }

    public override async ValueTask<bool> TransformResponseAsync(
        HttpContext httpContext, HttpResponseMessage? proxyResponse, CancellationToken cancellationToken)
    {
        if (proxyResponse is null)
        {
            return false;
        }

        Status = (int)proxyResponse.StatusCode;
        RetryAfter = Status == StatusCodes.Status429TooManyRequests ? UpstreamRequests.RetryAfter(proxyResponse, time) : null;
        // A refused key is the operator's matter, and the client would take it for its own. A redirect names an address inside.
        if (Status is 401 or 403 or (>= 300 and < 400) || (elsewhereLeft && (Status == 429 || UpstreamRequests.IsServerFailure(Status.Value))))
        {
            KeptBack = Status;
            return false;
        }

        await base.TransformResponseAsync(httpContext, proxyResponse, cancellationToken);
        // Cookies of the upstream bind to nothing here.
        httpContext.Response.Headers.Remove("Set-Cookie");
        return true;
    }

    public override ValueTask TransformResponseTrailersAsync(HttpContext httpContext, HttpResponseMessage proxyResponse, CancellationToken cancellationToken)
    {
        IsWhole = true;
        return base.TransformResponseTrailersAsync(httpContext, proxyResponse, cancellationToken);
    }
}
