namespace Gateway.Upstream;

/// <summary>A failure; nothing is held any more.</summary>
internal sealed class FailedChatReply : ChatReply
{
    /// <summary>Another destination may do better.</summary>
    public bool ElsewhereMayWork { get; init; }

    public override void ReportFailure(UpstreamFailure failure)
    {
        // Was reported when it happened.
    }

    public override void ReportRefusal(int? status)
    {
        // Likewise.
    }

    /// <summary>Nothing to hide: <see cref="ChatReply.Error"/> has none any more.</summary>
    public override string HideSecrets(string text) => text;

    public override void ReportUsage(long inputTokens, long cachedTokens)
    {
        // Nothing was used.
    }

    public override ValueTask DisposeAsync() => ValueTask.CompletedTask;
}
