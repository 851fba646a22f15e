namespace Gateway.Load.Run;

/// <summary>The run can not go on: a process did not start, or an answer was not the expected one.</summary>
internal sealed class LoadException(string message) : Exception(message);
