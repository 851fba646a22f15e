using System.Globalization;

namespace Gateway.Check;

/// <summary>Writes what a check finds for people, row by row as it comes.</summary>
internal sealed class CheckTable(TextWriter output)
{
    private static readonly int NameWidth = CheckCases.All.Max(known => known.Name.Length);

    public void Begin(string url, string? model, TimeSpan timeout)
    {
        output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{url}{(model is null ? "" : $", model {model}")}, at most {timeout.TotalSeconds} s for a case"));
        output.WriteLine();
        output.WriteLine($"{"case".PadRight(NameWidth)}  result       time  detail");
    }

    public void Add(CaseReport report)
    {
        var time = string.Create(CultureInfo.InvariantCulture, $"{report.Duration.TotalSeconds:0.00} s");
        output.WriteLine($"{report.Name.PadRight(NameWidth)}  {Word(report.Outcome.Result),-7}  {time,8}  {report.Outcome.Detail}");
        output.Flush();
    }

    public void End(CheckReport report)
    {
        output.WriteLine();
        output.WriteLine($"{report.Count(CaseResult.Pass)} pass, {report.Count(CaseResult.Limited)} limited, {report.Count(CaseResult.Fail)} fail, {report.Count(CaseResult.Skipped)} skipped");
        foreach (var id in report.Left)
        {
            output.WriteLine($"still stored, since it could not be deleted: {id}");
        }

        if (report.UpstreamsProblem is { } problem)
        {
            output.WriteLine($"upstreams: {problem}");
        }

        foreach (var upstream in report.Upstreams ?? [])
        {
            output.WriteLine();
            output.WriteLine($"upstream {upstream.Name}: profile {upstream.Profile}, {upstream.Available} of {upstream.Destinations} destinations available");
            if (upstream.Probe is not null)
            {
                output.WriteLine($"  server   {upstream.Server ?? "not known"}, asked: {upstream.Probe}");
            }

            foreach (var answer in upstream.Capabilities.GroupBy(capability => capability.Value is "yes" or "no" ? capability.Value : "other"))
            {
                output.WriteLine($"  {answer.Key,-7}  {string.Join(", ", answer.Select(capability => answer.Key == "other" ? $"{capability.Key} {capability.Value}" : capability.Key))}");
            }
        }
    }

    public static string Word(CaseResult result) => result switch
    {
        CaseResult.Pass => "pass",
        CaseResult.Limited => "limited",
        CaseResult.Fail => "fail",
        _ => "skipped",
    };
}
