namespace PythonTool;

/// <summary>What a call gave. This is also the line that the runner writes.</summary>
/// <param name="Status">How the call ended.</param>
/// <param name="Stdout">What was written to standard output, up to the limit.</param>
/// <param name="Stderr">What was written to standard error, and the traceback if there is one.</param>
/// <param name="Result">The <c>repr</c> of the last expression, when the code ends with one whose value is not None.</param>
/// <param name="Reason">Why the code was ended or not run, as a clause that follows a colon.</param>
/// <param name="Ended">Whether the sandbox is gone, and the session's variables and files with it.</param>
internal sealed record CallResult(
    CallStatus Status, string Stdout = "", string Stderr = "", string? Result = null, string? Reason = null, bool Ended = false)
{
    public static CallResult Refused(string reason) => new(CallStatus.Refused, Reason: reason);

    public static CallResult Killed(string reason) => new(CallStatus.Killed, Reason: reason, Ended: true);
}
