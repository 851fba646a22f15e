using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>
/// What the loop has done, kept so that another replica can go on: the loop runs again from its start, and takes from the journal what was
/// done instead of doing it again. A response that is not a durable run has one that keeps nothing.
/// </summary>
internal interface ILoopJournal
{
    /// <summary>Cancelled when the run is to be handed over: rounds with the model end at once, calls that run may finish.</summary>
    CancellationToken HandOver { get; }

    /// <summary>The list of a server's tools as it was told, or null.</summary>
    ReadOnlyMemory<byte>? FindList(string serverLabel);

    /// <summary>Keeps a list.</summary>
    ValueTask ListedAsync(string serverLabel, ReadOnlyMemory<byte> item, CancellationToken cancellationToken);

    /// <summary>The next round that was made, or null when the next one is still to be made.</summary>
    /// <param name="tools">The tools there are, to find those that were called.</param>
    RoundRecord? TakeRound(IReadOnlyList<Tool> tools);

    /// <summary>Keeps a round, before any of its calls runs.</summary>
    ValueTask RoundMadeAsync(RoundRecord round, CancellationToken cancellationToken);

    /// <summary>What is known of a call: its outcome, or only that it was started; null when it was not.</summary>
    CallRecord? FindCall(string call);

    /// <summary>Keeps that a call is about to run: when this returns, whoever goes on knows.</summary>
    ValueTask CallStartedAsync(string call, CancellationToken cancellationToken);

    /// <summary>Keeps the outcome of a call.</summary>
    ValueTask CallEndedAsync(string call, ServerCallResult result, CancellationToken cancellationToken);
}
