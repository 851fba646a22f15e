using System.Net;

namespace Gateway.Egress;

/// <summary>
/// Checks each request and follows redirects, each checked like the first URL. To another origin go only headers that can be no credential:
/// which of a tool's own headers are secret nobody knows.
/// </summary>
internal sealed class EgressHandler(EgressScope scope, EgressLimits limits) : DelegatingHandler
{
    private static readonly HashSet<string> HarmlessHeaders =
        new(StringComparer.OrdinalIgnoreCase) { "Accept", "Accept-Encoding", "Accept-Language", "MCP-Protocol-Version", "User-Agent" };

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        // HTTP/3 would not pass by the check at connecting, and a host header of a client's would name another host than the one checked.
        request.Version = HttpVersion.Version11;
        request.VersionPolicy = HttpVersionPolicy.RequestVersionOrLower;
        request.Headers.Host = null;
        for (var redirects = 0; ; redirects++)
        {
            if (scope.CheckUrl(request.RequestUri) is { } refusal)
            {
                throw new EgressRefusedException(refusal);
            }

            var response = await base.SendAsync(request, cancellationToken);
            if (RedirectOf(request, response) is not { } target)
            {
                return Limit(request, response);
            }

            using (response)
            {
                Follow(request, response.StatusCode, target, redirects);
            }
        }
    }

    private static Uri? RedirectOf(HttpRequestMessage request, HttpResponseMessage response)
    {
        var isRedirect = response.StatusCode is HttpStatusCode.MovedPermanently or HttpStatusCode.Found or HttpStatusCode.SeeOther
            or HttpStatusCode.TemporaryRedirect or HttpStatusCode.PermanentRedirect;
        return isRedirect && response.Headers.Location is { } location && request.RequestUri is { } from && Uri.TryCreate(from, location, out var target)
            ? target
            : null;
    }

    private void Follow(HttpRequestMessage request, HttpStatusCode status, Uri target, int redirects)
    {
        var from = request.RequestUri!;
        var isSameOrigin = Uri.Compare(from, target, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;
        EgressRefusalKind? refused = redirects >= limits.MaxRedirects ? EgressRefusalKind.TooManyRedirects
            : from.Scheme == Uri.UriSchemeHttps && target.Scheme == Uri.UriSchemeHttp ? EgressRefusalKind.Downgrade
            : scope.IsOperator && !isSameOrigin ? EgressRefusalKind.LeavesOrigin
            : null;
        if (refused is { } kind)
        {
            throw new EgressRefusedException(scope.Refuse(kind, target));
        }

        if (!isSameOrigin)
        {
            foreach (var name in request.Headers.Select(header => header.Key).Where(name => !HarmlessHeaders.Contains(name)).ToList())
            {
                request.Headers.Remove(name);
            }
        }

        request.RequestUri = target;
        // RFC 9110 section 15.4: 303 is answered with a GET; so do all clients after 301 and 302 to a POST.
        var becomesGet = status == HttpStatusCode.SeeOther
            ? request.Method != HttpMethod.Head
            : request.Method == HttpMethod.Post && status is HttpStatusCode.MovedPermanently or HttpStatusCode.Found;
        if (becomesGet)
        {
            request.Method = HttpMethod.Get;
            request.Content = null;
        }
    }

    private HttpResponseMessage Limit(HttpRequestMessage request, HttpResponseMessage response)
    {
        var isEventStream = string.Equals(response.Content.Headers.ContentType?.MediaType, "text/event-stream", StringComparison.OrdinalIgnoreCase);
        if (!isEventStream && response.Content.Headers.ContentLength > limits.ResponseBytes)
        {
            response.Dispose();
            throw TooLarge();
        }

        response.Content = new LimitedContent(response.Content, stream => isEventStream
            ? new LimitedStream(stream, limits.EventBytes, perEvent: true, TooLarge)
            : new LimitedStream(stream, limits.ResponseBytes, perEvent: false, TooLarge));
        return response;

        EgressRefusedException TooLarge() => new(scope.Refuse(EgressRefusalKind.ResponseTooLarge, request.RequestUri));
    }
}
