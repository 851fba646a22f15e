using System.Diagnostics;

namespace Gateway.Check;

/// <summary>Runs cases one after another, each within its time, and deletes behind each what it made.</summary>
internal sealed class CheckRun(CheckHttp http, CheckArguments arguments, string? model, PlainText plain)
{
    /// <summary>For the deletions behind one case, which interruption does not stop.</summary>
    private static readonly TimeSpan DeleteTime = TimeSpan.FromSeconds(20);

    private readonly List<string> _left = [];

    /// <summary>Ids of what could not be deleted.</summary>
    public IReadOnlyList<string> Left => _left;

    /// <param name="tell">Called behind each case.</param>
    /// <param name="interrupted">Ends the case that runs, and skips the rest.</param>
    public async Task<IReadOnlyList<CaseReport>> RunAsync(Action<CaseReport> tell, CancellationToken interrupted)
    {
        var begin = DateTimeOffset.UtcNow;
        List<CaseReport> reports = [];
        foreach (var one in arguments.Cases)
        {
            var watch = Stopwatch.StartNew();
            var outcome = await RunAsync(one, interrupted);
            watch.Stop();
            await DeleteAsync(http.DeleteMadeAsync);
            var report = new CaseReport(one.Name, outcome with { Detail = plain.Clean(outcome.Detail) }, watch.Elapsed);
            reports.Add(report);
            tell(report);
        }

        // A gateway that broke its contract may have told wrong ids too.
        if (http.MayHaveLost || reports.Exists(report => report.Outcome.Result == CaseResult.Fail))
        {
            await DeleteAsync(async cancellation =>
            {
                await http.FindLostAsync(begin, cancellation);
                return await http.DeleteMadeAsync(cancellation);
            });
        }

        return reports;
    }

    private async Task<CaseOutcome> RunAsync(CheckCase one, CancellationToken interrupted)
    {
        if (interrupted.IsCancellationRequested)
        {
            return CaseOutcome.Skipped("interrupted");
        }

        if (one.NeedsModel && model is null)
        {
            return CaseOutcome.Skipped("no model is known");
        }

        using var time = CancellationTokenSource.CreateLinkedTokenSource(interrupted);
        time.CancelAfter(arguments.Timeout);
        try
        {
            return await one.RunAsync(new CheckedGateway(http, one.Name, model ?? "", arguments.Model is not null, time.Token));
        }
        catch (CaseEndedException e)
        {
            return e.Outcome;
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            return CaseOutcome.Skipped("interrupted");
        }
        catch (OperationCanceledException) when (time.IsCancellationRequested)
        {
            return CaseOutcome.Fail($"not over within {arguments.Timeout.TotalSeconds:0} s (--timeout)");
        }
        catch (HttpRequestException e)
        {
            return CaseOutcome.Fail($"no answer: {e.HttpRequestError}");
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return CaseOutcome.Fail(e is InvalidDataException ? "an event of the stream is too long" : "the connection broke within an answer");
        }
        catch (InvalidOperationException)
        {
            // What JsonElement throws where it compares or lists texts.
            return CaseOutcome.Fail("an answer has text that is no Unicode");
        }
    }

    private async Task DeleteAsync(Func<CancellationToken, Task<IReadOnlyList<string>>> delete)
    {
        using var time = new CancellationTokenSource(DeleteTime);
        try
        {
            _left.AddRange((await delete(time.Token)).Select(plain.Clean));
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // Only the search for lost ones throws: whether there are any is not known.
        }
    }
}
