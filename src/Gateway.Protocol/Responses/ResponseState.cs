namespace Gateway.Protocol.Responses;

/// <summary>The <c>status</c> of a response.</summary>
public enum ResponseStatus { InProgress, Completed, Incomplete, Failed, Cancelled, Queued }

/// <summary>What changes during the life of a response: all that its object shows besides the echo of the request.</summary>
public sealed class ResponseState
{
    public ResponseStatus Status { get; set; } = ResponseStatus.InProgress;

    /// <summary>Unix seconds; set when <see cref="Status"/> is completed.</summary>
    public long? CompletedAt { get; set; }

    /// <summary>max_output_tokens, content_filter or max_tool_calls; set when <see cref="Status"/> is incomplete.</summary>
    public string? IncompleteReason { get; set; }

    /// <summary>Set when <see cref="Status"/> is failed.</summary>
    public ApiError? Error { get; set; }

    /// <summary>Null before a terminal status.</summary>
    public Usage? Usage { get; set; }

    /// <summary>The finished output items, raw JSON, in order.</summary>
    public List<ReadOnlyMemory<byte>> Output { get; } = [];

    /// <summary>Makes it failed, whatever it was to be.</summary>
    public void Fail(ApiError? error)
    {
        Status = ResponseStatus.Failed;
        CompletedAt = null;
        IncompleteReason = null;
        Error = error;
    }

    /// <summary>The word on the wire.</summary>
    public ReadOnlySpan<byte> StatusText => TextOf(Status);

    public static ReadOnlySpan<byte> TextOf(ResponseStatus status) => status switch
    {
        ResponseStatus.InProgress => "in_progress"u8,
        ResponseStatus.Completed => "completed"u8,
        ResponseStatus.Incomplete => "incomplete"u8,
        ResponseStatus.Failed => "failed"u8,
        ResponseStatus.Cancelled => "cancelled"u8,
        _ => "queued"u8,
    };
}
