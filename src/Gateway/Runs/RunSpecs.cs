using System.Text;
using System.Text.Json;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store.Sealing;

namespace Gateway.Runs;

/// <summary>Makes specs of requests and reads them again. A request with credentials in it is sealed.</summary>
internal sealed class RunSpecs(ResponsePreparer preparer, SecretSealer sealer)
{
    private const string Purpose = "run";

    /// <summary>Deeper than any limit on requests, so that what was accepted once can always be read again.</summary>
    private static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = 1024 };

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

    /// <summary>
    /// Reads the request of a spec. The error when it can not be made: without a request when the key that sealed it is gone; with as much of one as its
    /// failure needs when it is refused by now, by changed limits or policy, or by a version that does not know all of it.
    /// </summary>
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

        if (preparer.Parse(body, dialect, tenant, out request) is not { } refused)
        {
            return null;
        }

        request = new ResponsesRequest
        {
            Input = [],
            Model = spec.Model,
            Background = spec.IsBackground,
            Stream = spec.KeepsEvents,
            ConversationId = spec.IsInConversation ? ReadConversation(body) : null,
        };
        return refused;
    }

    /// <summary>The conversation that the response joins: its hold ends with the response, however that ends.</summary>
    private static string? ReadConversation(ReadOnlyMemory<byte> body)
    {
        using var document = JsonDocument.Parse(body, AnyDepth);
        return !document.RootElement.TryGetProperty("conversation"u8, out var conversation) ? null
            : conversation.ValueKind == JsonValueKind.String ? conversation.GetString()
            : conversation.GetProperty("id"u8).GetString();
    }
}
