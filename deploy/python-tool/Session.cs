namespace PythonTool;

/// <summary>A place for one sandbox in the pool. Its members but <see cref="Turn"/> and <see cref="Sandbox"/> are under the pool's lock.</summary>
/// <param name="key">The client's word for the session; null for a place that is for one call only.</param>
internal sealed class Session(string? key) : IDisposable
{
    public string? Key => key;

    /// <summary>One call at a time.</summary>
    public SemaphoreSlim Turn { get; } = new(1, 1);

    /// <summary>The live sandbox, if there is one. It is touched only by who has the turn, or when there are no users.</summary>
    public Sandbox? Sandbox { get; set; }

    /// <summary>The calls that run or wait here. A session without any is idle.</summary>
    public int Users { get; set; }

    /// <summary>When the session became idle.</summary>
    public long IdleSince { get; set; }

    /// <summary>Ends the session when it has been idle long enough.</summary>
    public ITimer? Timer { get; set; }

    public void Dispose()
    {
        Timer?.Dispose();
        Turn.Dispose();
    }
}
