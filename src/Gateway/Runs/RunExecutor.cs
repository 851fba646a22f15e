using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Responses;
using Gateway.Store;
using Gateway.Telemetry;
using Gateway.Tools;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>
/// Makes the response of a run whose lease this replica holds, from wherever the one before was when it ended: what is in the journal is not
/// done again, what is in the event log is not told again.
/// </summary>
internal sealed class RunExecutor(
    IRunStore runs,
    RunSpecs specs,
    ResponsePreparer preparer,
    ResponseMaker maker,
    ResponseKeeper keeper,
    TenantDirectory tenants,
    IOptions<RunOptions> options,
    IOptions<LimitsOptions> limits,
    GatewayMetrics metrics,
    TimeProvider time,
    ILogger<RunExecutor> logger)
{
    /// <summary>How a run ends here that another replica makes now, or that was deleted.</summary>
    public const string Lost = "lost";

    private const int EventsPerRead = 500;

    /// <summary>How often a run is put off because nobody serves its model.</summary>
    private const int ModelPatience = 5;

    /// <summary>Makes the response, to its end or until the run is to leave this replica.</summary>
    /// <returns>
    /// How it ended, in one word: the response's status, <c>handed_over</c>, <see cref="Lost"/>, <c>removed</c>, or <c>abandoned</c>, to be tried again when the
    /// lease is over.
    /// </returns>
    /// <exception cref="StoreUnavailableException">What the run needs could not be read.</exception>
    public async Task<string> ExecuteAsync(RunKey run, TakenRun taken, RunControl control, AcceptedRun? accepted, RunTail? tail = null)
    {
        var started = time.GetTimestamp();
        var spec = RunSpec.Read(taken.Spec);
        var told = accepted?.Told ?? await ReadToldAsync(run, spec, control);
        var isGivenUp = IsGivenUp(taken);
        var (prepared, error) = accepted is not null ? (accepted.Prepared, null) : await PrepareAsync(run, spec, isGivenUp, control);
        if (MayPass(error, taken))
        {
            RunLog.Waits(logger, run.Id.ToString(), run.Tenant, error!.Code!);
            return "abandoned";
        }

        if (prepared is null)
        {
            RunLog.Removed(logger, run.Id.ToString(), run.Tenant, error!.Code ?? "unreadable");
            return await runs.DropRunAsync(run, taken.Token, isUnmade: false, control.LeaseLost) ? "removed" : Lost;
        }

        // The hold on a conversation is the run's, and ends with it.
        await using var conversation = prepared.Conversation;
        await using var output = new RunOutput(
            runs, run, taken.Token, control, spec.KeepsEvents, told.Count, taken.Journal.Count, options.Value.EventInterval,
            limits.Value.KeepAliveInterval, options.Value.Lease, time)
        {
            Tail = tail,
        };
        using var envelope = ResponseMaker.NewEnvelope(prepared);
        using var events = maker.NewEvents(prepared, envelope, output);
        output.Events = events;
        events.Resume(told, spec.IsBackground);
        var journal = ReadJournal(taken, output, control, isGivenUp);
        var mayRefuse = accepted is not null && !spec.IsBackground;
        try
        {
            var outcome = await MakeAsync(prepared, error, taken, control, events, output, journal, mayRefuse);
            if (outcome is null)
            {
                await output.DrainAsync(control.LeaseLost);
                await runs.ReleaseAsync(run, taken.Token, control.LeaseLost);
                return "handed_over";
            }

            if (outcome.Error is not null && mayRefuse && (!events.HasStarted || (!spec.KeepsEvents && CreateResponse.HasOnlyLists(events.State))))
            {
                // As without a run: it has not begun, and its client can be told by the status. The key is given back last: while the run is there,
                // the same request again would be made beside it.
                accepted!.Error = outcome.Error;
                // Not cancelled with the lease, which ends with the run.
                if (!await runs.DropRunAsync(run, taken.Token, isUnmade: true, CancellationToken.None))
                {
                    return Lost;
                }

                await accepted.Refused();
                return "failed";
            }

            // What was told and not come to again before this end.
            events.RestoreTold();
            maker.Settle(events.State, outcome);
            if (outcome.IsInterrupted)
            {
                events.State.Status = ResponseStatus.Cancelled;
                events.State.Error = null;
                events.State.CompletedAt = null;
                events.State.IncompleteReason = null;
            }

            var ended = await EndAsync(prepared, envelope, events, outcome.Notes, output, control, spec.IsKeyed);
            if (ended)
            {
                var status = System.Text.Encoding.ASCII.GetString(events.State.StatusText);
                if (events.State.Error is { } why)
                {
                    metrics.ErrorTold(why.Status, why.Code);
                }

                metrics.ResponseFinished(prepared.Dialect.Name, status, prepared.Request.Stream, time.GetElapsedTime(started));
                return status;
            }
        }
        catch (OperationCanceledException) when (control.LeaseLost.IsCancellationRequested)
        {
            // Whatever was being done: somebody else does it.
        }

        return Lost;
    }

    /// <summary>
    /// What stands in the way of a response that was accepted may be of the moment: a store that failed a second ago, a tenant that was taken out of the
    /// configuration just now (<see cref="MissingTenants"/>), or a model server that this replica, just started, has not seen yet. One that was cancelled
    /// needs no model.
    /// </summary>
    private static bool MayPass(ApiError? error, TakenRun taken) =>
        error is { Code: "store_unavailable" or "invalid_api_key" } || (error is { Code: "model_not_found" } && taken is { IsCancelled: false, Token: <= ModelPatience });

    /// <summary>It was tried often enough.</summary>
    private bool IsGivenUp(TakenRun taken) => taken.Token > options.Value.Attempts;

    private async Task<ToldEvents> ReadToldAsync(RunKey run, RunSpec spec, RunControl control)
    {
        var told = new ToldEvents();
        while (spec.KeepsEvents && await runs.ReadEventsAsync(run, told.Count, EventsPerRead, control.LeaseLost) is { Count: > 0 } page)
        {
            foreach (var json in page)
            {
                told.Add(json);
            }
        }

        return told;
    }

    /// <summary>What was done already. Of a run that is given up it need not be readable: that may be what it is given up for.</summary>
    private static RunJournal ReadJournal(TakenRun taken, RunOutput output, RunControl control, bool isGivenUp)
    {
        try
        {
            return new RunJournal(taken.Journal, output, control);
        }
        catch (Exception) when (isGivenUp)
        {
            return new RunJournal([], output, control);
        }
    }

    /// <summary>
    /// Reads and checks the request again. A response comes with an error when it can only fail; none comes when not even that can be told.
    /// </summary>
    private async Task<(PreparedResponse? Prepared, ApiError? Error)> PrepareAsync(RunKey run, RunSpec spec, bool isGivenUp, RunControl control)
    {
        if (tenants.Find(run.Tenant) is not { } tenant)
        {
            return (null, ApiError.InvalidApiKey());
        }

        var dialect = ResponsesEndpoints.DialectNamed(spec.Dialect);
        var error = specs.Parse(run.Tenant, spec, dialect, tenant, out var request);
        if (request is null)
        {
            return (null, error);
        }

        if (error is null && isGivenUp)
        {
            // Nothing more is done with it: preparing it may be what ends the replicas.
            error = ApiError.TooManyAttempts();
        }

        PreparedResponse? prepared = null;
        if (error is null)
        {
            (prepared, error) = await preparer.PrepareAsync(dialect, tenant, request, control.LeaseLost, run.Id, spec.CreatedAt);
        }

        return (prepared ?? ResponsePreparer.PrepareFailed(dialect, tenant, request, spec.Model, run.Id, spec.CreatedAt), error);
    }

    /// <summary>Makes the output. Null when the run is to go to another replica.</summary>
    private async Task<LoopOutcome?> MakeAsync(
        PreparedResponse prepared, ApiError? error, TakenRun taken, RunControl control, ResponseEventStream events, RunOutput output, RunJournal journal,
        bool mayRefuse)
    {
        if (taken.IsCancelled)
        {
            control.Cancel();
        }

        Begin(events, mayRefuse);
        if (error is not null)
        {
            var spent = Restore(events, output, journal, IsGivenUp(taken));
            return control.IsCancelled ? Cancelled(spent) : LoopOutcome.Failed(error) with { Usage = spent };
        }

        if (control.IsCancelled)
        {
            return await RestoreAsync(prepared, control, events, output, journal);
        }

        await output.FlushAsync(control.Ended);
        var outcome = await maker.RunAsync(prepared, events, output, journal, CancellationToken.None, control.Ended);
        control.LeaseLost.ThrowIfCancellationRequested();
        return outcome.IsInterrupted && !control.IsCancelled ? null : outcome;
    }

    /// <summary>The output so far of a run that was cancelled while nobody made it. It ends as cancelled, whatever stands in the way of restoring it.</summary>
    private async Task<LoopOutcome> RestoreAsync(
        PreparedResponse prepared, RunControl control, ResponseEventStream events, RunOutput output, RunJournal journal)
    {
        var outcome = prepared.Request.Generate ? await maker.RestoreAsync(prepared, events, output, journal, control.LeaseLost) : Cancelled(spent: null);
        control.LeaseLost.ThrowIfCancellationRequested();
        return outcome with
        {
            End = RoundEnd.Failed,
            Error = null,
            Usage = Sum(outcome.Usage, Restore(events, output, journal, isGivenUp: false)),
            IsInterrupted = true,
        };
    }

    private static LoopOutcome Cancelled(Usage? spent) => new(RoundEnd.Failed, null, spent, new CallNotes()) { IsInterrupted = true };

    /// <summary>Says that it is in progress. The first try of what nobody waits for in a queue says so with its first item: until then it can be refused.</summary>
    private static void Begin(ResponseEventStream events, bool mayRefuse)
    {
        if (!mayRefuse)
        {
            events.Start();
        }
    }

    /// <summary>
    /// What is left of the output so far, of a run that is not gone on with, without the calls that the gateway made; of one that is given up, as much as
    /// can be read. Returns its tokens.
    /// </summary>
    private static Usage? Restore(ResponseEventStream events, RunOutput output, RunJournal journal, bool isGivenUp)
    {
        Usage? spent = null;
        try
        {
            while (journal.TakeRound([]) is { } round)
            {
                spent = Sum(spent, round.Spent);
                if (!output.WantsEvents)
                {
                    // Where events are kept, they tell all of it.
                    events.Restore(round.Abandoned);
                    events.Restore(round.Items);
                }
            }
        }
        catch (Exception) when (isGivenUp)
        {
            // Unreadable: that may be what it is given up for.
        }

        return spent;
    }

    private static Usage? Sum(Usage? one, Usage? other) => one is null ? other : one + (other ?? default);

    /// <summary>Commits the response and ends its run, both in one step. False when the run is not this replica's any more.</summary>
    private async Task<bool> EndAsync(
        PreparedResponse prepared, ResponseEnvelope envelope, ResponseEventStream events, CallNotes notes, RunOutput output, RunControl control,
        bool isKeyed)
    {
        var fence = await output.EndAsync(events.End, EventRetentionOf(prepared, isKeyed));
        var outcome = await CommitAsync();
        while (ResponseKeeper.ErrorOf(outcome, prepared) is { } notKept)
        {
            events.State.Fail(notKept);
            events.EndAgain();
            fence = output.Replace(fence);
            if (outcome == CommitOutcome.ConversationGone)
            {
                // Its text belonged to the conversation, and is not kept.
                (prepared, notes) = (prepared.WithoutConversation(), new CallNotes());
                events.State.Output.Clear();
            }

            // What failed goes aside, whatever its log is like by now.
            outcome = await CommitAsync();
        }

        return outcome is CommitOutcome.Appended or CommitOutcome.Branched or CommitOutcome.AlreadyCommitted;

        async Task<CommitOutcome> CommitAsync()
        {
            using var input = new StoredInput(prepared.Id, prepared.Request.Input);
            return await RunRetry.WriteAsync(
                () => keeper.CommitAsync(prepared, envelope, events.State, input, notes, fence), control, options.Value.Lease, time);
        }
    }

    /// <summary>The events hold the whole answer: they are kept no longer than it.</summary>
    private TimeSpan EventRetentionOf(PreparedResponse prepared, bool isKeyed)
    {
        var wanted = isKeyed && options.Value.EventRetention < IdempotencyKeys.Life ? IdempotencyKeys.Life : options.Value.EventRetention;
        var most = prepared.Tenant.Policy.RetentionOf(ResponseKeeper.ClassOf(prepared));
        return wanted < most ? wanted : most;
    }
}
