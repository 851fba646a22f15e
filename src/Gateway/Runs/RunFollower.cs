using System.Globalization;
using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;
using Gateway.Responses;
using Gateway.Store;
using Gateway.Tools;
using Microsoft.Extensions.Options;

namespace Gateway.Runs;

/// <summary>
/// Streams the events of a run to a client: those that are in the store, then what comes, until the terminal one. It does not matter which
/// replica makes the response, whether it has ended, or who followed it before: the bytes are the same.
/// </summary>
internal sealed class RunFollower(
    IRunStore runs, RunTails tails, IResponseStore responses, IOptions<LimitsOptions> limits, TimeProvider time)
{
    private const int EventsPerRead = 256;

    /// <summary>A wake may be lost: this often the store is looked at all the same.</summary>
    private static readonly TimeSpan LookPatience = TimeSpan.FromSeconds(1);

    /// <summary>How long a stream that has begun, or was accepted, waits for a store that does not answer.</summary>
    private static readonly TimeSpan StorePatience = TimeSpan.FromMinutes(1);

    private const int StartLooks = 50;
    private static readonly TimeSpan StartPause = TimeSpan.FromMilliseconds(50);

    /// <summary>Streams the events from number <paramref name="from"/> on. The error, when nothing was sent.</summary>
    /// <param name="http">The client.</param>
    /// <param name="run">The run.</param>
    /// <param name="from">The first sequence number.</param>
    /// <param name="window">How long the run goes on with nobody following; null when that does not matter to it.</param>
    /// <param name="refusal">
    /// Why the run ended before it told anything: the answer then. Null for a response that is there already, whose stream begins at once.
    /// </param>
    public async Task<ApiError?> FollowAsync(HttpContext http, RunKey run, long from, TimeSpan? window, Func<ApiError?>? refusal = null)
    {
        var aborted = http.RequestAborted;
        await using var watch = new RunWatch(runs, tails, run, time);
        using var sse = new SseOutput(http.Response, time, limits.Value.KeepAliveInterval, limits.Value.ClientStall);
        long? followed = null;
        var reached = time.GetTimestamp();
        while (true)
        {
            IReadOnlyList<ReadOnlyMemory<byte>>? page;
            bool isOver;
            try
            {
                (page, isOver) = await LookAsync(watch, run, from, aborted);
                reached = time.GetTimestamp();
            }
            catch (StoreUnavailableException) when ((http.Response.HasStarted || refusal is not null) && time.GetElapsedTime(reached) < StorePatience)
            {
                // The run goes on, or will: its stream is not over, and who has asked for it must not ask once more.
                await watch.WaitAsync(LookPatience, aborted);
                await sse.KeepAliveAsync(aborted);
                continue;
            }
            catch (StoreUnavailableException) when (http.Response.HasStarted)
            {
                // Cut off, so that nobody takes it for the end.
                http.Abort();
                throw new ClientGoneException(aborted);
            }

            if (window is { } most && (followed is null || time.GetElapsedTime(followed.Value) > most / 4))
            {
                var noted = time.GetTimestamp();
                followed = await NoteFollowedAsync(run, aborted) ? noted : followed;
            }

            if (page is null)
            {
                return await EndGoneAsync(http, sse, refusal?.Invoke() ?? ApiError.ResponseNotFound(run.Id.ToString()), from, aborted);
            }

            foreach (var json in page)
            {
                sse.Write(EventJson.TypeUtf8Of(json).Span, json.Span);
            }

            from += page.Count;
            if ((page.Count > 0 && EventJson.IsTerminal(page[^1])) || (page.Count == 0 && isOver))
            {
                await sse.CompleteAsync(aborted);
                return null;
            }

            if (page.Count > 0)
            {
                await sse.FlushAsync(aborted);
                continue;
            }

            if (refusal is null && !http.Response.HasStarted)
            {
                await sse.BeginAsync(aborted);
            }

            await watch.WaitAsync(window is { } least && least / 4 < LookPatience ? least / 4 : LookPatience, aborted);
            await sse.KeepAliveAsync(aborted);
        }
    }

    /// <summary>The events from a number on, none when there are no more so far, null when there is no log; and whether none can come.</summary>
    private async ValueTask<(IReadOnlyList<ReadOnlyMemory<byte>>? Page, bool IsOver)> LookAsync(
        RunWatch watch, RunKey run, long from, CancellationToken cancellationToken)
    {
        await watch.RefreshAsync(cancellationToken);
        if (watch.Tail?.Read(from) is { } newest)
        {
            return (newest, false);
        }

        if (await runs.ReadEventsAsync(run, from, EventsPerRead, cancellationToken) is { Count: > 0 } page)
        {
            return (page, false);
        }

        // A run that has told nothing so far has no log. What was written between the two looks is seen by the third.
        return await runs.IsLiveAsync(run, cancellationToken)
            ? ([], false)
            : (await runs.ReadEventsAsync(run, from, EventsPerRead, cancellationToken), true);
    }

    /// <summary>That it is not noted once does no harm: the next look tries again.</summary>
    private async ValueTask<bool> NoteFollowedAsync(RunKey run, CancellationToken cancellationToken)
    {
        try
        {
            await runs.FollowedAsync(run, cancellationToken);
            return true;
        }
        catch (StoreUnavailableException)
        {
            // Reading the events will say so as well.
            return false;
        }
    }

    /// <summary>Waits for a run that is just being accepted. False when there is none, and no response that it ended in.</summary>
    public async Task<bool> WaitForStartAsync(RunKey run, CancellationToken cancellationToken)
    {
        for (var looks = 0; looks < StartLooks; looks++)
        {
            if (await runs.IsLiveAsync(run, cancellationToken) || await responses.GetAsync(run.Tenant, run.Id, cancellationToken) is not null)
            {
                return true;
            }

            await Task.Delay(StartPause, time, cancellationToken);
        }

        return false;
    }

    /// <summary>Waits until the run has ended, on whatever replica.</summary>
    /// <returns>False when <paramref name="patience"/> was over first.</returns>
    public async Task<bool> WaitForEndAsync(RunKey run, TimeSpan patience, TimeSpan? window, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        await using var watch = new RunWatch(runs, tails, run, time);
        await watch.RefreshAsync(cancellationToken);
        while (await runs.IsLiveAsync(run, cancellationToken))
        {
            if (time.GetElapsedTime(started) >= patience)
            {
                return false;
            }

            if (window is not null)
            {
                await runs.FollowedAsync(run, cancellationToken);
            }

            await watch.WaitAsync(LookPatience, cancellationToken);
            await watch.RefreshAsync(cancellationToken);
        }

        return true;
    }

    /// <summary>The event log is gone: deleted, or too old.</summary>
    private static async Task<ApiError?> EndGoneAsync(HttpContext http, SseOutput sse, ApiError error, long sequence, CancellationToken aborted)
    {
        if (!http.Response.HasStarted)
        {
            return error;
        }

        using var json = new PooledBuffer(512);
        json.Append("{\"type\":\"error\",\"sequence_number\":"u8);
        json.Append(System.Text.Encoding.ASCII.GetBytes(sequence.ToString(CultureInfo.InvariantCulture)));
        json.Append(",\"code\":"u8);
        json.AppendString(error.Code);
        json.Append(",\"message\":"u8);
        json.AppendString(error.Message);
        json.Append(",\"param\":null,\"error\":"u8);
        Dialect.WriteError(error, json);
        json.Append((byte)'}');
        sse.Write("error"u8, json.WrittenSpan);
        await sse.CompleteAsync(aborted);
        return null;
    }
}
