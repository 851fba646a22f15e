using System.Net;
using Gateway.Egress;

namespace Gateway.Tools.Mcp;

/// <summary>
/// Between the MCP client and the egress guard. Keeps requests, and the secrets in their headers, at the server's own origin: with HTTP+SSE
/// the server says where to post to and could name any host. And notes the status of a request, which the client does not tell with each error.
/// </summary>
internal sealed class McpHttpHandler(McpServer server) : DelegatingHandler
{
    private static readonly AsyncLocal<Note?> Current = new();

    /// <summary>Notes the status of requests that the caller posts from here on.</summary>
    public static Note Watch() => Current.Value = new Note();

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        if (!IsSameOrigin(request.RequestUri))
        {
            throw new EgressRefusedException(server.Egress.Refuse(EgressRefusalKind.LeavesOrigin, request.RequestUri));
        }

        var response = await base.SendAsync(request, cancellationToken);
        if (request.Method == HttpMethod.Post && Current.Value is { } note)
        {
            note.Status = response.StatusCode;
        }

        return response;
    }

    private bool IsSameOrigin(Uri? url) => url is not null
        && Uri.Compare(server.Url, url, UriComponents.SchemeAndServer, UriFormat.SafeUnescaped, StringComparison.OrdinalIgnoreCase) == 0;

    /// <summary>What was seen of a request.</summary>
    internal sealed class Note
    {
        /// <summary>The status of the answer, once there is one.</summary>
        public HttpStatusCode? Status { get; set; }
    }
}
