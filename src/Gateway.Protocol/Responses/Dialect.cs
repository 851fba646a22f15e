using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>What differs between the API's dialects. Everything else is one code for both.</summary>
public abstract class Dialect
{
    /// <summary>The openai dialect, the default.</summary>
    public static Dialect OpenAi { get; } = new OpenAiDialect();

    /// <summary>The dialect's name in metrics and logs.</summary>
    public abstract string Name { get; }

    /// <summary>The least <c>max_output_tokens</c> a client may ask for.</summary>
    public abstract int MinOutputTokens { get; }

    /// <summary>The <c>output</c> of JSON bodies begins with the request's user messages.</summary>
    public abstract bool InputMessagesInOutput { get; }

    /// <summary>The id shown in a JSON body may be null: that of a response that is not stored.</summary>
    public abstract bool NullIdWhenNotStored { get; }

    /// <summary>Reasoning tags of the model stay in the text: clients split on them.</summary>
    public abstract bool KeepsReasoningTags { get; }

    /// <summary><c>server_label</c> of a server-run tool may be missing.</summary>
    public abstract bool ServerLabelIsOptional { get; }

    /// <summary>Calls of MCP tools need the user's approval unless the request says otherwise.</summary>
    public abstract bool ApprovalByDefault { get; }

    /// <summary>A response that would go over its limit of tool calls ends there as incomplete; otherwise the model answers without tools.</summary>
    public abstract bool EndsAtMaxToolCalls { get; }

    /// <summary>Lists and calls of server-run tools have events. Without them they show in the response's output only.</summary>
    public abstract bool ShowsServerEvents { get; }

    /// <summary>There are conversations.</summary>
    public abstract bool ServesConversations { get; }

    /// <summary>How many items of a response's <c>output</c> a finished item becomes.</summary>
    public virtual int CountShown(ReadOnlyMemory<byte> item) => 1;

    /// <summary>Appends the items of a response's <c>output</c>, with commas between them.</summary>
    public virtual void WriteOutput(IReadOnlyList<ReadOnlyMemory<byte>> items, PooledBuffer output, bool first) =>
        ResponseEnvelope.WriteItems(items, output, first);

    /// <summary>The status and the extra member of an error body: the same error in this dialect's clothes.</summary>
    public virtual ApiError Translate(ApiError error) => error;

    /// <summary>Appends the <c>usage</c> object.</summary>
    public abstract void WriteUsage(Usage usage, PooledBuffer output);

    /// <summary>Appends the body of an error answer.</summary>
    public virtual void WriteErrorBody(ApiError error, PooledBuffer output)
    {
        output.Append("{\"error\":"u8);
        WriteError(error, output);
        output.Append((byte)'}');
    }

    /// <summary>Appends an error object, as in an error body and in the <c>error</c> of a failed response.</summary>
    public static void WriteError(ApiError error, PooledBuffer output)
    {
        output.Append("{\"message\":"u8);
        output.AppendString(error.Message);
        output.Append(",\"type\":"u8);
        output.AppendString(error.Type);
        output.Append(",\"param\":"u8);
        output.AppendString(error.Param);
        output.Append(",\"code\":"u8);
        output.AppendString(error.Code);
        output.Append((byte)'}');
    }
}
