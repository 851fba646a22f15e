namespace Gateway.Protocol.Translation;

/// <summary>Takes text that has been told apart into reasoning and answer.</summary>
internal interface ITextReceiver
{
    void OnReasoning(ReadOnlySpan<byte> utf8);

    void OnText(ReadOnlySpan<byte> utf8);
}
