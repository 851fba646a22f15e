using Gateway.Protocol.Json;

namespace Gateway.Protocol.Responses;

/// <summary>The API as its inventor's clients expect it.</summary>
internal sealed class OpenAiDialect : Dialect
{
    public override string Name => "openai";

    public override int MinOutputTokens => 16;

    public override bool InputMessagesInOutput => false;

    public override bool NullIdWhenNotStored => false;

    public override bool KeepsReasoningTags => false;

    public override bool ServerLabelIsOptional => false;

    public override bool ApprovalByDefault => true;

    public override bool EndsAtMaxToolCalls => false;

    public override bool ShowsServerEvents => true;

    public override bool ServesConversations => true;

    public override void WriteUsage(Usage usage, PooledBuffer output)
    {
        output.Append("{\"input_tokens\":"u8);
        output.Append(usage.InputTokens);
        output.Append(",\"input_tokens_details\":{\"cached_tokens\":"u8);
        output.Append(usage.CachedTokens);
        output.Append(",\"cache_write_tokens\":"u8);
        output.Append(usage.CacheWriteTokens);
        output.Append("},\"output_tokens\":"u8);
        output.Append(usage.OutputTokens);
        output.Append(",\"output_tokens_details\":{\"reasoning_tokens\":"u8);
        output.Append(usage.ReasoningTokens);
        output.Append("},\"total_tokens\":"u8);
        output.Append(usage.TotalTokens);
        output.Append((byte)'}');
    }
}
