namespace Gateway.Protocol.Responses;

public static partial class RequestParser
{
    /// <summary>The most items that one call may put into a conversation (Responses API reference, "Conversations").</summary>
    public const int MaxConversationItems = 20;

    /// <summary>Parses the body of <c>POST /v1/conversations</c>: <c>items</c> and <c>metadata</c>, both optional, and so is the body.</summary>
    /// <param name="body">The body as it was received; it must stay unchanged as long as the request is used.</param>
    /// <param name="rules">Limits and switches.</param>
    /// <param name="request">The request when the result is null.</param>
    /// <returns>The error to answer with, or null.</returns>
    public static ApiError? ParseConversation(ReadOnlyMemory<byte> body, RequestRules rules, out ConversationRequest? request)
    {
        ArgumentNullException.ThrowIfNull(rules);
        if (body.IsEmpty)
        {
            request = new ConversationRequest();
            return null;
        }

        return ReadBody(
            body,
            RequestFields.ConversationStart,
            rules,
            static (members, rules) => new ConversationRequest { Items = ReadConversationItems(members, rules), Metadata = ReadMetadata(members) },
            out request);
    }

    /// <summary>Parses the body of <c>POST /v1/conversations/{id}</c>: <c>metadata</c>, which must be there; null stands for none.</summary>
    /// <inheritdoc cref="ParseConversation"/>
    public static ApiError? ParseConversationUpdate(ReadOnlyMemory<byte> body, RequestRules rules, out ConversationRequest? request)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return ReadBody(
            body,
            RequestFields.ConversationUpdate,
            rules,
            static (members, _) =>
            {
                if (!members.IsGiven("metadata"))
                {
                    members.Fail(ApiError.MissingParameter("metadata"));
                }

                return new ConversationRequest { Metadata = ReadMetadata(members) };
            },
            out request);
    }

    /// <summary>Parses the body of <c>POST /v1/conversations/{id}/items</c>: <c>items</c>, 1 to <see cref="MaxConversationItems"/>.</summary>
    /// <inheritdoc cref="ParseConversation"/>
    public static ApiError? ParseConversationItems(ReadOnlyMemory<byte> body, RequestRules rules, out ConversationRequest? request)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return ReadBody(
            body,
            RequestFields.ConversationItems,
            rules,
            static (members, rules) =>
            {
                var items = ReadConversationItems(members, rules);
                if (items.Length == 0)
                {
                    members.Fail(ApiError.MissingParameter("items"));
                }

                return new ConversationRequest { Items = items };
            },
            out request);
    }

    /// <summary>The <c>conversation</c> of a request for a response: an id, or an object with one.</summary>
    private static string? ReadConversation(RequestMembers members, RequestRules rules)
    {
        var value = members.Raw("conversation");
        if (value.IsEmpty)
        {
            return null;
        }

        if (!rules.ServesConversations)
        {
            members.Fail(NotServed("conversation"));
            return null;
        }

        var (path, id) = ("conversation", JsonView.Text(value));
        if (JsonView.IsObject(value))
        {
            path = "conversation.id";
            id = members.Object("conversation", RequestFields.Conversation)?.String("id");
            if (id is null)
            {
                members.Fail(ApiError.MissingParameter(path));
            }
        }
        else if (id is null)
        {
            members.Fail(ApiError.InvalidType(path, "one of a string or an object", JsonView.Describe(value)));
        }

        CheckLegalId(members, path, id);
        return id;
    }

    private static Item[] ReadConversationItems(RequestMembers members, RequestRules rules) =>
        ReadItems(members, members.RawArray("items", "an array of objects"), "items", MaxConversationItems, rules);

    private static ReadOnlyMemory<byte> ReadMetadata(RequestMembers members)
    {
        CheckMetadata(members);
        return members.Raw("metadata");
    }
}
