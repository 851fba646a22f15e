namespace Gateway.Protocol.Responses;

/// <summary>The API as its inventor's clients expect it.</summary>
internal sealed class OpenAiDialect : Dialect
{
    public override int MinOutputTokens => 16;
}
