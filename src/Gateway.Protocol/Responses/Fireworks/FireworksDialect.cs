using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses.Fireworks;

/// <summary>The API as Fireworks serves it under <c>/inference/v1</c> (Fireworks Responses API, guide and OpenAPI document).</summary>
public sealed class FireworksDialect : Dialect
{
    /// <summary>The header that names the caller's account.</summary>
    public const string AccountHeader = "x-fireworks-account-id";

    private FireworksDialect()
    {
    }

    public static FireworksDialect Instance { get; } = new();

    public override string Name => "fireworks";

    public override int MinOutputTokens => 1;

    public override bool InputMessagesInOutput => true;

    public override bool NullIdWhenNotStored => true;

    public override bool KeepsReasoningTags => true;

    public override bool ServerLabelIsOptional => true;

    public override bool ApprovalByDefault => false;

    public override bool EndsAtMaxToolCalls => true;

    public override bool ShowsServerEvents => false;

    public override bool ServesConversations => false;

    /// <summary>Lists of tools are not shown; an outcome is an item behind its call.</summary>
    public override int CountShown(ReadOnlyMemory<byte> item) => ItemTable.View(item).Kind switch
    {
        ItemKind.McpListTools => 0,
        ItemKind.McpCall => 2,
        _ => 1,
    };

    public override void WriteOutput(IReadOnlyList<ReadOnlyMemory<byte>> items, PooledBuffer output, bool first)
    {
        foreach (var item in items)
        {
            var kind = ItemTable.View(item).Kind;
            if (kind == ItemKind.McpListTools)
            {
                continue;
            }

            if (!first)
            {
                output.Append((byte)',');
            }

            first = false;
            if (kind == ItemKind.McpCall)
            {
                McpItems.WriteSplit(item, output);
            }
            else
            {
                output.Append(item.Span);
            }
        }
    }

    /// <summary>An unknown parent is a 404 there.</summary>
    public override ApiError Translate(ApiError error) =>
        error.Code == "previous_response_not_found" ? error with { Status = 404 } : error;

    public override void WriteUsage(Usage usage, PooledBuffer output)
    {
        output.Append("{\"prompt_tokens\":"u8);
        output.Append(usage.InputTokens);
        output.Append(",\"completion_tokens\":"u8);
        output.Append(usage.OutputTokens);
        output.Append(",\"total_tokens\":"u8);
        output.Append(usage.TotalTokens);
        output.Append(",\"prompt_tokens_details\":{\"cached_tokens\":"u8);
        output.Append(usage.CachedTokens);
        output.Append("}}"u8);
    }

    public override void WriteErrorBody(ApiError error, PooledBuffer output)
    {
        output.Append("{\"error\":"u8);
        WriteError(error, output);
        output.Append(",\"detail\":"u8);
        output.AppendString(error.Code == "previous_response_not_found" ? "Previous response not found" : error.Message);
        output.Append((byte)'}');
    }
}
