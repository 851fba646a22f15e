using System.Text;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store.Sealing;

namespace Gateway.Runs;

/// <summary>Makes specs of requests and reads them again. A request with credentials in it is sealed.</summary>
internal sealed class RunSpecs(ResponsePreparer preparer, SecretSealer sealer)
{
    private const string Purpose = "run";

    /// <summary>The request holds no credentials, or they can be sealed.</summary>
    public bool CanKeep(ResponsesRequest request) => sealer.CanSeal || !HasCredentials(request);

    /// <summary>Makes the spec of a response that was prepared from <paramref name="body"/>. An error when it can not be kept as it must.</summary>
    public ApiError? Make(PreparedResponse prepared, ReadOnlyMemory<byte> body, RunTerms terms, out RunSpec? spec)
    {
        spec = null;
        var hasCredentials = HasCredentials(prepared.Request);
        if (!CanKeep(prepared.Request))
        {
            return ApiError.UnsupportedValue(
                "tools", "Tool credentials can not be kept for a background response: the gateway has no key to seal them with (Gateway:Secrets:Keys).");
        }

        spec = new RunSpec
        {
            Dialect = prepared.Dialect.Name,
            Model = prepared.Model,
            CreatedAt = prepared.CreatedAt,
            IsBackground = terms.IsBackground,
            KeepsEvents = terms.KeepsEvents,
            Window = terms.Window,
            IsKeyed = terms.IsKeyed,
            IsInConversation = prepared.Conversation.Hold is not null,
            IsSealed = hasCredentials,
            Body = hasCredentials ? Encoding.ASCII.GetBytes(sealer.Seal(prepared.Tenant.Name, Purpose, body.Span)) : body,
        };
        return null;
    }

    /// <summary>A URL may hold a key as well.</summary>
    private static bool HasCredentials(ResponsesRequest request) =>
        request.Servers.Any(static server => server.Headers.Count > 0 || server.Url is { Query.Length: > 1 } or { UserInfo.Length: > 0 });

    /// <summary>Reads the request of a spec. The error when it can not be read: the key that sealed it is gone, or this version refuses it.</summary>
    public ApiError? Parse(string tenantName, RunSpec spec, Dialect dialect, Tenant tenant, out ResponsesRequest? request)
    {
        request = null;
        var body = spec.Body;
        if (spec.IsSealed)
        {
            if (sealer.Open(tenantName, Purpose, Encoding.ASCII.GetString(body.Span)) is not { } opened)
            {
                return ApiError.Internal();
            }

            body = opened;
        }

        return preparer.Parse(body, dialect, tenant, out request);
    }
}
