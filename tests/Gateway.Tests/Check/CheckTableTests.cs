using Gateway.Check;

namespace Gateway.Tests.Check;

/// <summary>The table of <c>gateway check</c>, and when its run was good.</summary>
public sealed class CheckTableTests
{
    [Fact]
    public void Table_IsAlignedAndComplete()
    {
        using var output = new StringWriter();
        var table = new CheckTable(output);
        var report = Report(
            new CaseReport("basic", CaseOutcome.Pass("completed"), TimeSpan.FromMilliseconds(1234)),
            new CaseReport("structured_output", CaseOutcome.Limited("does not fit"), TimeSpan.FromSeconds(3600)),
            new CaseReport("stream", CaseOutcome.Fail("the stream ends"), TimeSpan.Zero),
            new CaseReport("cancel", CaseOutcome.Skipped("interrupted"), TimeSpan.Zero)) with
        {
            Left = ["resp_1"],
            Upstreams =
            [
                new UpstreamReport
                {
                    Name = "local", Profile = "vllm", Probe = "complete", Server = "vllm 0.11", Destinations = 3, Available = 2,
                    Capabilities = [new("tools", "yes"), new("images", "no"), new("json_schema", "yes"), new("reasoning_field", "reasoning")],
                },
                new UpstreamReport { Name = "demo", Profile = "generic", Destinations = 1, Available = 1, Capabilities = [] },
            ],
        };

        table.Begin(report.Url, report.Model, TimeSpan.FromSeconds(60));
        foreach (var row in report.Cases)
        {
            table.Add(row);
        }

        table.End(report);

        Assert.Equal(
            """
            http://gw:8080, model m, at most 60 s for a case

            case               result       time  detail
            basic              pass       1.23 s  completed
            structured_output  limited  3600.00 s  does not fit
            stream             fail       0.00 s  the stream ends
            cancel             skipped    0.00 s  interrupted

            1 pass, 1 limited, 1 fail, 1 skipped
            still stored, since it could not be deleted: resp_1

            upstream local: profile vllm, 2 of 3 destinations available
              server   vllm 0.11, asked: complete
              yes      tools, json_schema
              no       images
              other    reasoning_field reasoning

            upstream demo: profile generic, 1 of 1 destinations available

            """,
            output.ToString());
    }

    [Theory]
    [InlineData(true, CaseResult.Pass)]
    [InlineData(true, CaseResult.Limited)]
    [InlineData(true, CaseResult.Pass, CaseResult.Skipped)]
    [InlineData(false, CaseResult.Skipped)]
    [InlineData(false, CaseResult.Pass, CaseResult.Fail)]
    [InlineData(false)]
    internal void Run_IsGood_WhenSomethingWasAskedAndNothingFailed(bool isGood, params CaseResult[] results)
    {
        var report = Report([.. results.Select(result => new CaseReport("x", new CaseOutcome(result, ""), TimeSpan.Zero))]);

        Assert.Equal(isGood, report.IsGood);
        Assert.False((report with { Left = ["resp_1"] }).IsGood);
    }

    private static CheckReport Report(params CaseReport[] cases) => new()
    {
        Url = "http://gw:8080",
        Model = "m",
        Cases = cases,
        Left = [],
        Upstreams = null,
        UpstreamsProblem = null,
        WasInterrupted = false,
    };
}
