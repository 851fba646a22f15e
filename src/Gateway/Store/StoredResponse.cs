namespace Gateway.Store;

/// <summary>A response with its own turn.</summary>
internal sealed record StoredResponse(ResponseRecord Record, Turn Turn)
{
    /// <summary>How long it is, without what is around its items.</summary>
    public long Bytes => Record.Envelope.Length + Turn.Input.Concat(Turn.Output).Sum(static item => (long)item.Length);
}
