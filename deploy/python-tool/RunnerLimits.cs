namespace PythonTool;

/// <summary>The limits that the runner keeps, as it reads them.</summary>
internal sealed record RunnerLimits(
    double WallSeconds, double CpuSeconds, int OutputBytes, long MemoryBytes, long DiskBytes, int Files, int OpenFiles, int Processes)
{
    public static RunnerLimits From(PythonToolOptions options) => new(
        options.CallTime.TotalSeconds, options.CpuTime.TotalSeconds, options.OutputBytes, options.MemoryBytes, options.DiskBytes, options.Files,
        options.OpenFiles, options.Processes);
}
