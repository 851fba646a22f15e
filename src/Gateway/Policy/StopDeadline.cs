namespace Gateway.Policy;

/// <summary>Tells the responses being made that the time to finish is over. The stop signal alone is no such thing: it only begins that time.</summary>
internal sealed class StopDeadline : IDisposable
{
    private readonly CancellationTokenSource _over = new();

    /// <summary>Cancelled when what still runs must end.</summary>
    public CancellationToken Over => _over.Token;

    public void Pass() => _over.Cancel();

    public void Dispose() => _over.Dispose();
}
