using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Store;
using Gateway.Tools;
using Gateway.Tools.Hosted;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Turns a request's body into a response that can be made, or into the error that says why not.</summary>
internal sealed class ResponsePreparer(
    ConversationLoader conversations,
    ToolLoop loop,
    ResponseKeeper keeper,
    NamedServers namedServers,
    HostedTools hostedTools,
    IOptions<LimitsOptions> limits,
    TimeProvider time)
{
    /// <summary>Reads a body. What the request holds are views into it.</summary>
    /// <returns>The error, or null.</returns>
    public ApiError? Parse(ReadOnlyMemory<byte> body, Dialect dialect, Tenant tenant, out ResponsesRequest? request) =>
        RequestParser.Parse(body, RulesOf(dialect, tenant), out request);

    /// <summary>Reads a body whose prompt is only to be counted: no member is missed, and nothing will be stored.</summary>
    /// <returns>The error, or null.</returns>
    public ApiError? ParseForCount(ReadOnlyMemory<byte> body, Dialect dialect, Tenant tenant, out ResponsesRequest? request)
    {
        var error = RequestParser.Parse(body, RulesOf(dialect, tenant) with { AllOptional = true }, out request);
        request = request is null ? null : request with { Store = false, Background = false, Stream = false };
        return error;
    }

    /// <summary>
    /// Checks everything that can be checked before a response begins, and loads what it continues. A conversation that it names is held until
    /// <see cref="PreparedResponse.Conversation"/> is disposed.
    /// </summary>
    /// <param name="dialect">The client's dialect.</param>
    /// <param name="tenant">Whose request it is.</param>
    /// <param name="request">The request, read.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <param name="id">The response's id when it was given one already.</param>
    /// <param name="createdAt">When it was created, if that was before: it is a run's, whose hold on a conversation stays.</param>
    public async ValueTask<(PreparedResponse?, ApiError?)> PrepareAsync(
        Dialect dialect, Tenant tenant, ResponsesRequest request, CancellationToken cancellationToken, ResponseId? id = null, DateTimeOffset? createdAt = null)
    {
        // What was accepted as a run was to be stored, whatever policy says by now.
        var isRun = createdAt is not null;
        var isStored = isRun || (request.Store && tenant.Policy.StoreAllowed);
        if (isStored && !keeper.IsAvailable)
        {
            return (null, ApiError.StoreUnavailable());
        }

        var (conversation, broken) = await conversations.LoadAsync(tenant, request, isStored, limits.Value.ContextBytes, id, isRun, cancellationToken);
        if (conversation is null)
        {
            return (null, broken);
        }

        PreparedResponse? prepared = null;
        try
        {
            if ((request.Model ?? conversation.ReadParentModel() ?? await loop.FindOnlyModelAsync(tenant.Policy.AllowsModel, cancellationToken)) is not { } model)
            {
                return (null, ApiError.MissingParameter("model"));
            }

            if (await CheckModelAsync(tenant, model, cancellationToken) is { } unserved)
            {
                return (null, unserved);
            }

            prepared = new PreparedResponse
            {
                Dialect = dialect,
                Tenant = tenant,
                Request = conversation.Input is { } named ? request with { Input = named.Items } : request,
                Conversation = conversation,
                Model = model,
                Id = id ?? conversation.NewResponseId(),
                CreatedAt = createdAt ?? time.GetUtcNow(),
                IsStored = isStored,
            };
            return (prepared, null);
        }
        finally
        {
            if (prepared is null)
            {
                await conversation.DisposeAsync();
            }
        }
    }

    /// <summary>A response that can only fail, since what it needs is not there any more: enough of it to tell that.</summary>
    public static PreparedResponse PrepareFailed(
        Dialect dialect, Tenant tenant, ResponsesRequest request, string model, ResponseId id, DateTimeOffset createdAt) => new()
        {
            Dialect = dialect,
            Tenant = tenant,
            Request = request,
            Conversation = Conversation.Without(
                request,
                ConversationId.TryParse(request.ConversationId, out var conversation) && conversation.Chain == id.Chain
                    ? new ConversationLock(conversation, id.Self, IsRuns: true)
                    : null),
            Model = model,
            Id = id,
            CreatedAt = createdAt,
            IsStored = true,
        };

    private async ValueTask<ApiError?> CheckModelAsync(Tenant tenant, string model, CancellationToken cancellationToken)
    {
        if (TenantDirectory.CheckModel(tenant, model) is { } notAllowed)
        {
            return notAllowed;
        }

        return await loop.ServesAsync(model, cancellationToken) ? null : ApiError.ModelNotFound(model);
    }

    private RequestRules RulesOf(Dialect dialect, Tenant tenant) => RequestRules.Default with
    {
        MinOutputTokens = dialect.MinOutputTokens,
        StrictParameters = tenant.Policy.StrictParameters,
        MaxDepth = limits.Value.JsonDepth,
        MaxItems = limits.Value.InputItems,
        ServesConversations = dialect.ServesConversations,
        ServerTools = new ServerToolRules
        {
            LabelIsOptional = dialect.ServerLabelIsOptional,
            ApprovalByDefault = dialect.ApprovalByDefault,
            MaxServers = limits.Value.ToolServers,
            IsNamedServer = namedServers.IsForRequests,
            Hosted = hostedTools.Tools,
        },
    };
}
