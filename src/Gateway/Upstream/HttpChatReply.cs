namespace Gateway.Upstream;

/// <summary>
/// An answer with a body to read. Disposing it gives the connection back, or closes it when the body was not read to its end. What was given up
/// by its caller (<paramref name="cancellation"/>) says nothing about the destination.
/// </summary>
internal sealed class HttpChatReply(
    HttpResponseMessage response, ChatCall call, Place place, DestinationPicker picker, UpstreamMetrics metrics, CancellationToken cancellation) : ChatReply
{
    private bool _failed;
    private bool _disposed;

    public override void ReportFailure(UpstreamFailure failure)
    {
        Failed(failure);
        if (failure != UpstreamFailure.TooLarge)
        {
            picker.ReportFailure(place.Stats!, failure);
        }
    }

    public override void ReportRefusal(int? status)
    {
        Failed(UpstreamFailure.Refused);
        if (status is { } told && UpstreamRequests.IsServerFailure(told))
        {
            picker.ReportFailure(place.Stats!, UpstreamFailure.Refused);
        }
        else if (status == StatusCodes.Status429TooManyRequests)
        {
            call.WasThrottled = true;
            picker.ReportThrottled(place.Stats!, retryAfter: null);
        }
    }

    public override string HideSecrets(string text) => place.Candidate!.Upstream.HideSecrets(text);

    public override void ReportUsage(long inputTokens, long cachedTokens) => metrics.TokensUsed(place.Stats!, inputTokens, cachedTokens);

    public override ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return ValueTask.CompletedTask;
        }

        _disposed = true;
        if (!_failed && cancellation.IsCancellationRequested)
        {
            metrics.Attempted(place.Stats!.Upstream, Outcome.Cancelled);
        }
        else if (!_failed)
        {
            metrics.Attempted(place.Stats!.Upstream, Outcome.Ok);
            place.Stats!.ClearFailures();
        }

        response.Dispose();
        picker.Leave(place);
        return ValueTask.CompletedTask;
    }

    private void Failed(UpstreamFailure failure)
    {
        _failed = true;
        call.FailedAt(place.Stats!, failure);
        metrics.Attempted(place.Stats!.Upstream, Outcome.Of(failure));
    }
}
