namespace PythonTool;

/// <summary>A line to the runner.</summary>
internal sealed record RunnerRequest(string Code);
