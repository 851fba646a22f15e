using System.Globalization;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>What the translation of one round needs to know.</summary>
public sealed class RoundContext
{
    public required RouteProfile Profile { get; init; }

    /// <summary>The tools that were offered.</summary>
    public required IReadOnlyList<Tool> Tools { get; init; }

    /// <summary>Reasoning tags stay in the text.</summary>
    public bool KeepReasoningTags { get; init; }

    /// <summary>The client asked for log probabilities.</summary>
    public bool WantsLogprobs { get; init; }

    /// <summary>The client asked for a reasoning summary.</summary>
    public bool WantsSummary { get; init; }

    /// <summary>At most one call of the round counts.</summary>
    public bool OneCallOnly { get; init; }

    /// <summary>The most calls that the round may have; with more it fails.</summary>
    public required int MaxCalls { get; init; }

    /// <summary>Whether a call id is in use already in the response's context.</summary>
    public required Func<string, bool> IsCallIdTaken { get; init; }

    /// <summary>Makes a new call id, <c>call_…</c>.</summary>
    public required Func<string> NewCallId { get; init; }
}

/// <summary>
/// The state machine from upstream chunks to response events: one round with the model. A whole completion is one large chunk. Each change of
/// kind (reasoning, text, refusal, call) closes the open item and opens the next.
/// </summary>
public sealed class ResponseTranslator : ITextReceiver, IDisposable
{
    private readonly RoundContext _context;
    private readonly ResponseEventStream _events;
    private readonly ReasoningTagScanner _tags;
    private readonly CallTranslator _calls;
    private readonly LogprobsTranslator? _logprobs;
    private readonly UsageReader _usage = new();
    private readonly PooledBuffer _scratch = new();
    private readonly PooledBuffer _leadingSpace = new(16);
    private readonly PooledBuffer _textAfterCall = new(16);
    private readonly int _itemsBefore;
    private string? _finishReason;
    private ApiError? _error;
    private string? _upstreamMessage;
    private int? _upstreamStatus;
    private char _pendingSurrogate;
    private char _reasoningSurrogate;
    private char _refusalSurrogate;
    private bool _afterReasoning;
    private bool _textBegun;
    private bool _hasMessage;
    private long _textBytes;

    public ResponseTranslator(RoundContext context, ResponseEventStream events)
    {
        _context = context;
        _events = events;
        _itemsBefore = events.State.Output.Count;
        _tags = new ReasoningTagScanner(context.KeepReasoningTags ? [] : context.Profile.ReasoningTags, context.Profile.ReasoningImplicitOpen);
        _calls = new CallTranslator(context, events);
        _logprobs = context.WantsLogprobs ? new LogprobsTranslator() : null;
    }

    /// <summary>A finish reason came: the end of the stream is no cut.</summary>
    public bool HasFinished => _finishReason is not null;

    /// <summary>The round has failed by what the server sent: nothing that may follow changes its outcome.</summary>
    public bool HasFailed => _error is not null;

    /// <summary>It failed since the server sent more calls than <see cref="RoundContext.MaxCalls"/>.</summary>
    public bool IsOverLimit => _calls.IsOverLimit;

    /// <summary>Takes one chunk. Errors inside the stream end the round: further chunks are ignored.</summary>
    public void Consume(in ChatChunk chunk)
    {
        if (_error is not null)
        {
            return;
        }

        if (!chunk.Usage.IsEmpty)
        {
            _usage.Read(chunk.Usage);
        }

        if (!chunk.Timings.IsEmpty)
        {
            _usage.ReadTimings(chunk.Timings);
        }

        if (!chunk.Error.IsEmpty)
        {
            _error = UpstreamErrorReader.FromStreamError(chunk.Error, _context.Profile.ContextErrorPatterns);
            _upstreamMessage = UpstreamErrorReader.ReadMessage(chunk.Error);
            _upstreamStatus = UpstreamErrorReader.ReadStatus(chunk.Error);
            return;
        }

        if (!chunk.Logprobs.IsEmpty && _logprobs is not null)
        {
            if (_afterReasoning)
            {
                // Tokens of reasoning and its tags; no text follows them.
                _logprobs.Clear();
            }

            _logprobs.Add(chunk.Logprobs);
        }

        ConsumeReasoning(chunk);
        if (!chunk.Content.IsEmpty)
        {
            ContentReader.Read(chunk.Content, this, _scratch, ref _pendingSurrogate, _tags);
        }

        if (chunk.Refusal.Length > 2)
        {
            ConsumeRefusal(JsonText.Unescape(chunk.Refusal, _scratch, ref _refusalSurrogate));
        }

        if (!chunk.ToolCalls.IsEmpty || !chunk.FunctionCall.IsEmpty)
        {
            _tags.Finish(this);
            _calls.Consume(chunk.ToolCalls, chunk.FunctionCall);
            if (_calls.IsOverLimit)
            {
                _error = ApiError.UpstreamError(string.Create(
                    CultureInfo.InvariantCulture,
                    $"The model server made more tool calls in one answer than this gateway takes: the limit is {_context.MaxCalls}."));
                return;
            }

            _leadingSpace.Clear();
            _textBegun = false;

            // Those of the call's own tokens, which no text follows.
            _logprobs?.Clear();
        }

        if (!chunk.FinishReason.IsEmpty)
        {
            _finishReason = JsonText.ToText(chunk.FinishReason);
        }
    }

    /// <summary>Ends the round: closes what is open and says what came of it.</summary>
    /// <param name="isWhole">The answer ended as it should: <c>[DONE]</c> came, or it was one JSON document.</param>
    public RoundOutcome Finish(bool isWhole)
    {
        if (_error is null && _finishReason is null && !isWhole)
        {
            _error = ApiError.UpstreamError("The model server's stream ended early.");
        }

        return Finish(_error);
    }

    /// <summary>Ends the round by a failure of the transport.</summary>
    public RoundOutcome Fail(ApiError error) => Finish(_error ?? error);

    void ITextReceiver.OnReasoning(ReadOnlySpan<byte> utf8)
    {
        _afterReasoning = true;
        _textBytes += utf8.Length;
        _calls.CloseOpen();
        _events.ReasoningDelta(utf8, _context.WantsSummary);
        _textBegun = false;
    }

    void ITextReceiver.OnText(ReadOnlySpan<byte> utf8)
    {
        if (_afterReasoning)
        {
            _afterReasoning = false;
            _logprobs?.KeepLast(utf8.Length);
        }

        if (_calls.IsOpenCallUnfinished)
        {
            _textAfterCall.Append(utf8);
            return;
        }

        // White space before a call or between calls is the template's, not an answer: it waits until something else follows.
        if (!_textBegun && utf8.Trim(" \t\r\n"u8).IsEmpty)
        {
            _leadingSpace.Append(utf8);
            return;
        }

        _calls.CloseOpen();
        _textBytes += utf8.Length;
        if (!_textBegun && _leadingSpace.Length > 0)
        {
            _events.TextDelta(_leadingSpace.WrittenSpan, default, default);
            _leadingSpace.Clear();
        }

        _textBegun = true;
        _hasMessage = true;
        if (_logprobs is null)
        {
            _events.TextDelta(utf8, default, default);
        }
        else
        {
            _events.TextDelta(utf8, _logprobs.Part, _logprobs.Delta);
            _logprobs.Clear();
        }
    }

    public void Dispose()
    {
        _tags.Dispose();
        _calls.Dispose();
        _logprobs?.Dispose();
        _scratch.Dispose();
        _leadingSpace.Dispose();
        _textAfterCall.Dispose();
    }

    private void ConsumeReasoning(in ChatChunk chunk)
    {
        if (chunk.Reasoning.Length > 2)
        {
            var text = JsonText.Unescape(chunk.Reasoning, _scratch, ref _reasoningSurrogate);
            if (!text.IsEmpty)
            {
                ((ITextReceiver)this).OnReasoning(text);
            }
        }
        else if (!chunk.ReasoningDetails.IsEmpty)
        {
            ContentReader.ReadReasoningDetails(chunk.ReasoningDetails, this, _scratch);
        }
    }

    private void ConsumeRefusal(ReadOnlySpan<byte> text)
    {
        if (!text.IsEmpty)
        {
            _tags.Finish(this);
            _calls.CloseOpen();
            _leadingSpace.Clear();
            _textBytes += text.Length;
            _hasMessage = true;
            _events.RefusalDelta(text);
        }
    }

    private RoundOutcome Finish(ApiError? error)
    {
        if (error is null)
        {
            FlushText();
        }

        var end = error is null ? EndOf(_finishReason) : RoundEnd.Failed;
        if (end == RoundEnd.Failed)
        {
            _calls.Abandon();
            _events.AbandonItem();
            return new RoundOutcome(end, error ?? ApiError.UpstreamError("The model server stopped with an error."), [], Usage, OutputBytes)
            {
                UpstreamMessage = _upstreamMessage,
                UpstreamStatus = _upstreamStatus,
            };
        }

        error = _calls.Finish(isCut: end != RoundEnd.Completed);
        if (error is not null)
        {
            _events.AbandonItem();
            return new RoundOutcome(RoundEnd.Failed, error, [], Usage, OutputBytes);
        }

        if (end == RoundEnd.Completed)
        {
            // Of an answer that was cut the last item is the incomplete one: the call.
            FlushTextAfterCall();
        }

        _events.CloseItem(completed: end == RoundEnd.Completed);
        if (end == RoundEnd.Completed && _calls.Made.Count == 0 && !_hasMessage)
        {
            if (_context.Profile.EmptyIsContextError && _events.State.Output.Count == _itemsBefore)
            {
                return new RoundOutcome(RoundEnd.Failed, ApiError.ContextLengthExceeded(), [], Usage, OutputBytes);
            }

            _events.OpenMessage();
            _events.CloseItem();
        }

        return new RoundOutcome(end, null, _calls.Made, Usage, OutputBytes);
    }

    private Usage? Usage => _usage.HasUsage ? _usage.Usage : null;

    private long OutputBytes => _textBytes + _calls.ArgumentBytes;

    private void FlushText()
    {
        if (_pendingSurrogate != 0)
        {
            _pendingSurrogate = '\0';
            _tags.Push("\uFFFD"u8, this);
        }

        _tags.Finish(this);

        // Nothing but white space came: that is the answer, unless calls are.
        if (_leadingSpace.Length > 0 && !_calls.HasAny && !_hasMessage)
        {
            _hasMessage = true;
            _events.TextDelta(_leadingSpace.WrittenSpan, default, default);
            _leadingSpace.Clear();
        }
    }

    /// <summary>Text that came in the middle of a call stands behind the calls.</summary>
    private void FlushTextAfterCall()
    {
        if (!_textAfterCall.WrittenSpan.Trim(" \t\r\n"u8).IsEmpty)
        {
            _events.TextDelta(_textAfterCall.WrittenSpan, default, default);
        }
    }

    private static RoundEnd EndOf(string? finishReason) => finishReason switch
    {
        "length" or "max_tokens" or "model_length" => RoundEnd.MaxOutputTokens,
        "content_filter" or "safety" => RoundEnd.ContentFilter,
        "abort" or "cancelled" or "error" or "insufficient_system_resource" => RoundEnd.Failed,
        _ => RoundEnd.Completed,
    };
}
