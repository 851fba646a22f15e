using System.Runtime.InteropServices;

namespace Gateway.Load.Run;

/// <summary>The whole run, as it is written to the file of <c>--output</c>.</summary>
internal sealed record RunReport
{
    public required DateTimeOffset Started { get; init; }

    public string Runtime { get; } = RuntimeInformation.FrameworkDescription;

    public string System { get; } = RuntimeInformation.OSDescription;

    public int Cores { get; } = Environment.ProcessorCount;

    public required RunOptions Options { get; init; }

    public List<ScenarioResult> Scenarios { get; } = [];
}
