using Gateway.Egress;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Upstream;

namespace Gateway.Tools;

/// <summary>
/// Makes a response: calls the upstream, translates what comes, runs the calls that are the gateway's, and goes round until the model has
/// answered or the client has something to do. Everything that can be mended before the client has seen anything of a round is mended here: a
/// server that refuses an optional parameter, a limit that overflows the context, a stream that ended before it began.
/// </summary>
internal sealed class ToolLoop(
    ChatClient client, RouteTable routes, RoundReader rounds, ServerTools serverTools, ImageFetcher images, ContextFitter fitter, TokenizerClient tokenizers,
    ToolMetrics metrics)
{
    /// <summary>How often one round may be sent again in another form.</summary>
    private const int MaxMends = 8;

    private const string ContextLengthCode = "context_length_exceeded";

    /// <summary>Some upstream serves the model. Just after the start it waits a little for the first lists of models.</summary>
    public async ValueTask<bool> ServesAsync(string model, CancellationToken cancellationToken) =>
        await routes.FindAsync(model, cancellationToken) is not null;

    /// <summary>The one model that is served by a name and that the tenant may use; null when there are more, or none.</summary>
    public async ValueTask<string?> FindOnlyModelAsync(Func<string, bool> isAllowed, CancellationToken cancellationToken)
    {
        await routes.WaitForFirstDiscoveryAsync(cancellationToken);
        return routes.List().Where(model => isAllowed(model.Id)).Take(2).ToList() is [var only] ? only.Id : null;
    }

    /// <summary>
    /// Runs the loop. Cancelled once it has begun, it ends as interrupted, with all that was done by then. Thrown are only cancellation before
    /// that, a client that is gone, and a store that can not be reached before the first round.
    /// </summary>
    public async Task<LoopOutcome> RunAsync(LoopRequest loop, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        var (opened, error) = await OpenAsync(loop, cancellationToken);
        if (opened is not { } context)
        {
            return LoopOutcome.Failed(error!);
        }

        try
        {
            return await RunAsync(context, events, output, cancellationToken);
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException)
        {
            events.AbandonItem();
            return new LoopOutcome(RoundEnd.Failed, null, context.Spent == default ? null : context.Spent, context.OwnNotes) { IsInterrupted = true };
        }
    }

    /// <summary>
    /// Counts the tokens of the prompt that the loop would begin with: by the server's tokenizer, or else by a call with one output token, or else
    /// from bytes. Servers are asked for their tools; nothing is run, and no approval is taken.
    /// </summary>
    /// <param name="loop">What would be run.</param>
    /// <param name="events">Takes what is made on the way, for nobody.</param>
    /// <param name="output">Likewise.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<(PromptCount Count, ApiError? Error)> CountAsync(
        LoopRequest loop, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        var (opened, error) = await OpenAsync(loop, cancellationToken);
        if (opened is not { } context)
        {
            return (default, error);
        }

        if (await new ServerToolRun(serverTools, context, events, output).ListAsync(cancellationToken) is { } unlisted)
        {
            return (default, unlisted);
        }

        var attempt = new RoundAttempt(context, maxOutputTokens: 1);
        using var chat = new PooledBuffer(16 * 1024);
        if (ChatRequestWriter.Write(attempt.ToChatRequest(attempt.Route), chat) is { } refused)
        {
            return (default, refused);
        }

        if (PromptSize.IsEmpty(chat.WrittenMemory))
        {
            return (default, ApiError.MissingParameter("input"));
        }

        return await tokenizers.CountAsync(attempt.Route, chat.WrittenMemory, context.AffinityKey, cancellationToken) is { } counted
            ? (new PromptCount(counted.Tokens, IsEstimate: false), null)
            : await CountByCallAsync(attempt, PromptSize.EstimateTokens(chat.WrittenMemory), events, output, cancellationToken);
    }

    private async Task<(PromptCount Count, ApiError? Error)> CountByCallAsync(
        RoundAttempt attempt, int estimate, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        // What a choice forces needs more than one token, and some servers fail on what is left of it.
        attempt.Context.Choice = attempt.Context.Choice.Unforced(attempt.Route.Profile.NamedToolChoice == NamedToolChoice.Filter);
        RoundOutcome outcome;
        do
        {
            using var call = NewCall(attempt);
            outcome = await RunRoundAsync(attempt, call, events, output, cancellationToken);
        }
        while (outcome.Error is not null && outcome.Error.Code != ContextLengthCode && LearnFromRefusal(attempt));

        if (outcome.Error is { } error)
        {
            // Too long, and so long it is.
            return error.Code == ContextLengthCode && attempt.UpstreamMessage is { } message && UpstreamErrorReader.TryReadContextNumbers(message, out _, out var tokens)
                ? (new PromptCount(tokens, IsEstimate: false), null)
                : (default, error);
        }

        // Of a prompt that was cut, only what is left was counted.
        return outcome.Usage is { InputTokens: > 0 } usage && !(attempt.Route.Profile.CutsSilently && usage.InputTokens * 2 < estimate)
            ? (new PromptCount(usage.InputTokens, IsEstimate: false), null)
            : (new PromptCount(estimate, IsEstimate: true), null);
    }

    /// <summary>Finds where the loop's requests go, and gets what they need.</summary>
    private async ValueTask<(LoopContext? Context, ApiError? Error)> OpenAsync(LoopRequest loop, CancellationToken cancellationToken)
    {
        if (routes.Find(loop.Model) is not { } found)
        {
            return (null, ApiError.ModelNotFound(loop.Model));
        }

        var fetched = await FetchImagesAsync(loop, found, cancellationToken);
        return fetched.Error is { } error ? (null, error) : (new LoopContext(loop, found) { InlinedImages = fetched.DataUrls }, null);
    }

    private async Task<LoopOutcome> RunAsync(LoopContext context, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        var loop = context.Loop;
        var run = new ServerToolRun(serverTools, context, events, output);
        if (await run.BeginAsync(cancellationToken) is { } error)
        {
            return LoopOutcome.Failed(error);
        }

        while (true)
        {
            var left = loop.Request.MaxOutputTokens - (int)Math.Min(context.Spent.OutputTokens, int.MaxValue);
            if (left <= 0)
            {
                return new LoopOutcome(RoundEnd.MaxOutputTokens, null, context.Spent, context.OwnNotes);
            }

            var (outcome, spent, itemsBefore) = loop.Journal.TakeRound(context.Tools) is { } made ? Restore(made, context, events)
                : loop.OnlyRestores ? throw new OperationCanceledException("The next round was not made.")
                : await MakeRoundAsync(new RoundAttempt(context, left), events, output, cancellationToken);
            context.Spent += spent ?? default;
            if (outcome.Error is not null)
            {
                return new LoopOutcome(outcome.End, outcome.Error, spent is null && context.Spent == default ? null : context.Spent, context.OwnNotes);
            }

            if (!await GoesOnAsync(run, context, outcome, events, itemsBefore, cancellationToken))
            {
                return new LoopOutcome(EndOf(outcome, run, loop), null, context.Spent, context.OwnNotes);
            }
        }
    }

    /// <summary>Makes the next round, and puts it into the journal.</summary>
    private async Task<(RoundOutcome Outcome, Usage? Spent, int ItemsBefore)> MakeRoundAsync(
        RoundAttempt attempt, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        var journal = attempt.Loop.Journal;
        var told = events.State.Output.Count;
        events.RestoreTold();
        var itemsBefore = events.State.Output.Count;
        var abandoned = events.State.Output.GetRange(told, itemsBefore - told);
        attempt.Context.Abandon(abandoned);
        using var either = journal.HandOver.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, journal.HandOver) : null;
        var (outcome, spent) = await RunMendedAsync(attempt, events, output, either?.Token ?? cancellationToken);
        if (outcome.Error is null)
        {
            var items = events.State.Output.GetRange(itemsBefore, events.State.Output.Count - itemsBefore);
            await journal.RoundMadeAsync(new RoundRecord(abandoned, items, outcome, spent), cancellationToken);
        }

        return (outcome, spent, itemsBefore);
    }

    /// <summary>Takes a round that was made before.</summary>
    private static (RoundOutcome Outcome, Usage? Spent, int ItemsBefore) Restore(RoundRecord made, LoopContext context, ResponseEventStream events)
    {
        events.Restore(made.Abandoned);
        context.Abandon(made.Abandoned);
        var itemsBefore = events.State.Output.Count;
        events.Restore(made.Items);
        return (made.Outcome, made.Spent, itemsBefore);
    }

    /// <summary>Takes a finished round into the context, runs its calls, and says whether the model is to go on.</summary>
    private async Task<bool> GoesOnAsync(
        ServerToolRun run, LoopContext context, RoundOutcome outcome, ResponseEventStream events, int itemsBefore, CancellationToken cancellationToken)
    {
        for (var i = itemsBefore; i < events.State.Output.Count; i++)
        {
            context.Add(events.State.Output[i]);
        }

        // Behind a round of server-run calls, a round that begins with a call must be told apart from it.
        var first = itemsBefore > 0 && itemsBefore < events.State.Output.Count ? context.Items[^(events.State.Output.Count - itemsBefore)].CallId : null;
        foreach (var call in outcome.Calls)
        {
            if (call.Tool is not { IsServerRun: true })
            {
                context.OwnNotes.Add(call.CallId, call.UpstreamId, startsRound: call.CallId == first);
            }
        }

        if (!outcome.Calls.Any(static call => call.Deferred is not null))
        {
            return false;
        }

        var isFirst = events.State.Output.Count == itemsBefore;
        var goesOn = await run.RunAsync(outcome.Calls, outcome.End != RoundEnd.Completed, isFirst, cancellationToken);
        if (context.WithoutServerTools && events.State.Output.Count == itemsBefore)
        {
            // It was to answer and called tools that it no longer has: an answer without words.
            events.OpenMessage();
            events.CloseItem();
        }

        if (!goesOn || context.WithoutServerTools)
        {
            return false;
        }

        var endsAtMaxCalls = context.Loop.Dialect.EndsAtMaxToolCalls;
        if (endsAtMaxCalls && run.Budget.IsExceeded)
        {
            metrics.LimitReached(ToolLimit.ToolCalls);
            return false;
        }

        // A forced choice would be forced again for ever.
        context.Choice = context.Choice.Relax();
        if (run.Budget.Reached is not ToolLimit.None and var limit && !(endsAtMaxCalls && limit == ToolLimit.ToolCalls))
        {
            // The user gets an answer all the same.
            context.WithoutServerTools = true;
            metrics.LimitReached(limit);
        }

        return true;
    }

    private static RoundEnd EndOf(RoundOutcome outcome, ServerToolRun run, LoopRequest loop) =>
        outcome.End == RoundEnd.Completed && run.Budget.IsExceeded && loop.Dialect.EndsAtMaxToolCalls ? RoundEnd.MaxToolCalls : outcome.End;

    /// <summary>One round, sent again in another form while the client has seen nothing of it. With its outcome come the tokens of all sends.</summary>
    private async Task<(RoundOutcome Outcome, Usage? Spent)> RunMendedAsync(
        RoundAttempt attempt, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        var itemsBefore = events.State.Output.Count;
        var spent = default(Usage);
        FindRoutes(attempt);
        for (var mends = 0; ; mends++)
        {
            if (mends < MaxMends && await fitter.ShortenBeforehandAsync(attempt, cancellationToken) is { } shortened)
            {
                if (!shortened)
                {
                    return (new RoundOutcome(RoundEnd.Failed, ApiError.ContextLengthExceeded(), [], null, 0), null);
                }

                continue;
            }

            using var call = NewCall(attempt);
            var outcome = await RunRoundAsync(attempt, call, events, output, cancellationToken);
            var requestBytes = call.BodyBytes;
            if (mends < MaxMends && outcome.Error is not null && IsUntouched(events, itemsBefore) && await MendAsync(attempt, outcome, cancellationToken))
            {
                continue;
            }

            if (mends < MaxMends && attempt.ShouldAskAgain(outcome, output.IsStream))
            {
                events.State.Output.RemoveRange(itemsBefore, events.State.Output.Count - itemsBefore);
                attempt.AskedAgain = true;
                spent += outcome.Usage ?? default;
                continue;
            }

            return (outcome, (outcome.Usage ?? Estimate(outcome, requestBytes)) + spent);
        }
    }

    private static ChatCall NewCall(RoundAttempt attempt) => new()
    {
        Routes = attempt.Context.Routes,
        Write = attempt.Write,
        AffinityKey = attempt.Context.AffinityKey,
        Tenant = attempt.Loop.Tenant,
    };

    /// <summary>The client has seen nothing of the round that began behind <paramref name="itemsBefore"/> items.</summary>
    private static bool IsUntouched(ResponseEventStream events, int itemsBefore) => !events.HasOpenItem && events.State.Output.Count == itemsBefore;

    /// <summary>One round, sent again to another destination while the client has seen nothing of it and the client side may try more.</summary>
    private async Task<RoundOutcome> RunRoundAsync(
        RoundAttempt attempt, ChatCall call, ResponseEventStream events, ILoopOutput output, CancellationToken cancellationToken)
    {
        attempt.UpstreamMessage = null;
        var itemsBefore = events.State.Output.Count;
        RoundOutcome? earlier = null;
        while (true)
        {
            await using var reply = await rounds.SendAsync(client, call, output, cancellationToken);
            attempt.Route = call.Route;
            if (reply.Failure != UpstreamFailure.None)
            {
                attempt.UpstreamMessage = reply.UpstreamMessage;
                return earlier ?? new RoundOutcome(RoundEnd.Failed, reply.Error ?? ApiError.UpstreamUnavailable(), [], null, 0);
            }

            var (outcome, failure) = await rounds.ReadAsync(reply, attempt, events, output, cancellationToken);
            if (outcome.Error is { } told)
            {
                outcome = outcome with { Error = told with { Message = reply.HideSecrets(told.Message) } };
            }

            attempt.UpstreamMessage = outcome.UpstreamMessage;
            var isTheirs = outcome.Error is { Status: >= 500 or StatusCodes.Status429TooManyRequests };
            if (failure != UpstreamFailure.None)
            {
                reply.ReportFailure(failure);
            }
            else if (isTheirs)
            {
                reply.ReportRefusal(outcome.UpstreamStatus);
            }

            if (outcome.Usage is { } usage)
            {
                reply.ReportUsage(usage.InputTokens, usage.CachedTokens);
            }

            if (!isTheirs || !IsUntouched(events, itemsBefore) || call.AttemptsLeft == 0)
            {
                return outcome;
            }

            earlier = outcome;
        }
    }

    private ValueTask<FetchedImages> FetchImagesAsync(LoopRequest loop, ModelRoutes found, CancellationToken cancellationToken)
    {
        IReadOnlyList<ImageReference> wanted = !loop.OnlyRestores && found.All.Any(static route => route.Profile.ImageUrls == ImageUrls.Inline)
            ? ImageReferences.Find(loop.Items, loop.Request.Input)
            : [];
        return wanted.Count == 0 ? new(FetchedImages.None) : new(images.FetchAsync(wanted, loop.Egress, cancellationToken));
    }

    /// <summary>Changes the attempt so that it may succeed. False when there is nothing to change.</summary>
    private async ValueTask<bool> MendAsync(RoundAttempt attempt, RoundOutcome outcome, CancellationToken cancellationToken) =>
        outcome.Error!.Code == ContextLengthCode ? await fitter.ShortenAfterErrorAsync(attempt, cancellationToken) : LearnFromRefusal(attempt);

    /// <summary>Leaves out what the server does not know, from now on. False when it was something else, or the upstream is not served any more.</summary>
    private bool LearnFromRefusal(RoundAttempt attempt)
    {
        if (attempt.UpstreamMessage is { } message && attempt.Route.Profile.StreamOptions
            && message.Contains("stream_options", StringComparison.OrdinalIgnoreCase))
        {
            routes.Remember(attempt.Route, static profile => profile with { StreamOptions = false });
            FindRoutes(attempt);
            return attempt.Context.Routes.All.Any(route => route.Upstream == attempt.Route.Upstream && !route.Profile.StreamOptions);
        }

        return false;
    }

    /// <summary>The routes as they are now; those of a model that is no longer served stay for what was begun.</summary>
    private void FindRoutes(RoundAttempt attempt) => attempt.Context.Routes = routes.Find(attempt.Loop.Model) ?? attempt.Context.Routes;

    private static Usage? Estimate(RoundOutcome outcome, int requestBytes)
    {
        if (outcome.End == RoundEnd.Failed)
        {
            return null;
        }

        var input = requestBytes / PromptSize.BytesPerToken;
        var output = (outcome.OutputBytes + PromptSize.BytesPerToken - 1) / PromptSize.BytesPerToken;
        return new Usage(input, 0, 0, output, 0, input + output);
    }
}
