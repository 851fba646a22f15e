namespace Gateway.Tools;

/// <summary>Where a response's events go while it is made: an event stream, or nowhere until the JSON body.</summary>
internal interface ILoopOutput
{
    /// <summary>Events are seen by the client as they come.</summary>
    bool IsStream { get; }

    /// <summary>Sends what was written. Completes when the client took it, so that a slow client slows the upstream.</summary>
    ValueTask FlushAsync(CancellationToken cancellationToken);

    /// <summary>Nothing happened for a while: keeps the client's connection alive when it is time to.</summary>
    ValueTask KeepAliveAsync(CancellationToken cancellationToken);
}
