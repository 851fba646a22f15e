using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>
/// Makes a round fit into the model's context: <c>truncation: "auto"</c> gives up as much of the oldest conversation as is too much, at once, by
/// the numbers of the server's error, by its tokenizer, or by the size of the text.
/// </summary>
internal sealed class ContextFitter(TokenizerClient tokenizers, UpstreamRegistry upstreams)
{
    /// <summary>Fewer output tokens than this are no answer.</summary>
    public const int MinOutputTokens = 16;

    /// <summary>The part of the window that is left for the answer: what the request limits it to, but within these.</summary>
    private const int UsualAnswerShare = 8;
    private const int LargestAnswerShare = 4;

    /// <summary>The part of the window that stays free, since what is not counted is reckoned.</summary>
    private const int MarginShare = 32;

    /// <summary>How often a tokenizer is asked for one cut: each time is a request with the whole prompt.</summary>
    private const int MaxCounts = 6;

    /// <summary>
    /// A server that cuts silently must not be sent more than it can hold: the attempt does not go to such ones. When all of them are such ones it
    /// is shortened for the one that holds most. Null when that was not needed; otherwise whether it was shortened.
    /// </summary>
    public async ValueTask<bool?> ShortenBeforehandAsync(RoundAttempt attempt, CancellationToken cancellationToken)
    {
        attempt.TooSmall.Clear();
        (ChatRoute Route, int Window, int Prompt)? largest = null;
        foreach (var route in attempt.Context.Routes.All)
        {
            if (route.Profile.CutsSilently && await MeasureAsync(attempt, route, cancellationToken) is { } size && size.Prompt > size.Window)
            {
                attempt.TooSmall.Add(route);
                largest = largest is { } other && other.Window >= size.Window ? other : (route, size.Window, size.Prompt);
            }
        }

        if (largest is not { } most || attempt.TooSmall.Count < attempt.Context.Routes.All.Count)
        {
            return null;
        }

        attempt.Route = most.Route;
        return attempt.Loop.Request.TruncationAuto && await ShortenAsync(attempt, most.Window, most.Prompt, cancellationToken);
    }

    /// <summary>The tokens that a route's server can hold, and those that the prompt has there; null when nobody knows.</summary>
    private async ValueTask<(int Window, int Prompt)?> MeasureAsync(RoundAttempt attempt, ChatRoute route, CancellationToken cancellationToken)
    {
        using var written = new PooledBuffer(16 * 1024);
        if (ChatRequestWriter.Write(attempt.ToChatRequest(route), written) is not null)
        {
            return null;
        }

        var chat = written.WrittenMemory;
        var counted = await tokenizers.CountAsync(route, chat, attempt.Context.AffinityKey, cancellationToken);
        return (counted?.Window ?? WindowOf(route)) is { } window ? (window, counted?.Tokens ?? PromptSize.EstimateTokens(chat)) : null;
    }

    /// <summary>Makes the request smaller after "context too long". False when nothing can be given up.</summary>
    public async ValueTask<bool> ShortenAfterErrorAsync(RoundAttempt attempt, CancellationToken cancellationToken)
    {
        var message = attempt.UpstreamMessage ?? string.Empty;
        if (UpstreamErrorReader.TryReadContextNumbers(message, out var window, out var prompt))
        {
            return attempt.TryLowerOutputLimit(window - prompt, MinOutputTokens)
                || (attempt.Loop.Request.TruncationAuto && await ShortenAsync(attempt, window, prompt, cancellationToken));
        }

        if (!attempt.Loop.Request.TruncationAuto)
        {
            return false;
        }

        using var chat = new PooledBuffer(16 * 1024);
        if (ChatRequestWriter.Write(attempt.ToChatRequest(attempt.Route), chat) is not null)
        {
            return false;
        }

        var counted = await CountAsync(attempt, chat.WrittenMemory, cancellationToken);
        var known = UpstreamErrorReader.TryReadContextLength(message, out window) ? window : counted?.Window ?? WindowOf(attempt.Route);
        if (counted is { } exact && known is { } limit)
        {
            return attempt.TryLowerOutputLimit(limit - exact.Tokens, MinOutputTokens) || await ShortenAsync(attempt, limit, exact.Tokens, cancellationToken);
        }

        // Too long it is, whatever an estimate says.
        return known is { } most
            ? await ShortenAsync(attempt, most, Math.Max(PromptSize.EstimateTokens(chat.WrittenMemory), most + (most / UsualAnswerShare)), cancellationToken)
            : GiveUpAQuarter(attempt);
    }

    private int? WindowOf(ChatRoute route) => upstreams.Find(route.Upstream)?.WindowOf(route.Model);

    private ValueTask<TokenCount?> CountAsync(RoundAttempt attempt, ReadOnlyMemory<byte> chat, CancellationToken cancellationToken) =>
        tokenizers.CountAsync(attempt.Route, chat, attempt.Context.AffinityKey, cancellationToken);

    /// <summary>Nothing is known but that it is too long.</summary>
    private static bool GiveUpAQuarter(RoundAttempt attempt)
    {
        var plan = attempt.Context.PlanTruncation();
        return Apply(attempt, plan, (plan.Count + 3) / 4);
    }

    private static bool Apply(RoundAttempt attempt, TruncationPlan plan, int steps)
    {
        if (steps > 0)
        {
            attempt.Context.Truncate(plan, steps);
        }

        return steps > 0;
    }

    /// <summary>Gives up so many of the oldest items that the prompt, which now has so many tokens, leaves room for an answer.</summary>
    private async ValueTask<bool> ShortenAsync(RoundAttempt attempt, int window, int promptTokens, CancellationToken cancellationToken)
    {
        var plan = attempt.Context.PlanTruncation();
        if (plan.Count == 0)
        {
            return false;
        }

        var answer = Math.Min(attempt.MaxOutputTokens ?? window / UsualAnswerShare, window / LargestAnswerShare);
        var room = Math.Max(1, window - answer - (window / MarginShare));
        using var chat = new PooledBuffer(16 * 1024);
        var tokensPerByte = (double)promptTokens / Math.Max(1, SizeAfter(attempt, plan, 0, chat));

        // Too few steps, and enough of them as far as is known.
        int tooFew = 0, enough = plan.Count;
        for (var counts = 0; enough - tooFew > 1; counts++)
        {
            var steps = LeastSteps(tooFew, enough, middle => SizeAfter(attempt, plan, middle, chat) * tokensPerByte <= room);
            var size = SizeAfter(attempt, plan, steps, chat);
            if (counts == MaxCounts || await CountAsync(attempt, chat.WrittenMemory, cancellationToken) is not { } exact)
            {
                enough = steps;
                break;
            }

            tokensPerByte = (double)exact.Tokens / Math.Max(1, size);
            if (exact.Tokens > room)
            {
                tooFew = steps;
            }
            else if (steps == enough || steps == tooFew + 1 || exact.Tokens > room - (window / MarginShare))
            {
                enough = steps;
                break;
            }
            else
            {
                enough = steps;
            }
        }

        attempt.TryLowerOutputLimit(window - room, MinOutputTokens);
        return Apply(attempt, plan, enough);
    }

    /// <summary>The least number of steps above one bound that fits; the other bound when none below it does.</summary>
    private static int LeastSteps(int tooFew, int enough, Func<int, bool> fits)
    {
        while (enough - tooFew > 1)
        {
            var middle = tooFew + ((enough - tooFew) / 2);
            (tooFew, enough) = fits(middle) ? (tooFew, middle) : (middle, enough);
        }

        return enough;
    }

    /// <summary>Writes the request as it is after some steps, and measures it.</summary>
    private static long SizeAfter(RoundAttempt attempt, TruncationPlan plan, int steps, PooledBuffer chat)
    {
        chat.Clear();
        return ChatRequestWriter.Write(attempt.ToChatRequest(attempt.Route, plan.After(steps)), chat) is null ? PromptSize.Of(chat.WrittenMemory) : 0;
    }
}
