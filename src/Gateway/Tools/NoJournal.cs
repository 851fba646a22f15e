using Gateway.Protocol.Responses;

namespace Gateway.Tools;

/// <summary>For responses that nobody goes on with.</summary>
internal sealed class NoJournal : ILoopJournal
{
    /// <summary>A server-run call was begun: the same request once more would run it again.</summary>
    public bool HasStartedCalls { get; private set; }

    /// <summary>The response is being put into the store, or there already. Default no.</summary>
    public bool MayBeKept { get; set; }

    public CancellationToken HandOver => CancellationToken.None;

    public ReadOnlyMemory<byte>? FindList(string serverLabel) => null;

    public ValueTask ListedAsync(string serverLabel, ReadOnlyMemory<byte> item, CancellationToken cancellationToken) => default;

    public RoundRecord? TakeRound(IReadOnlyList<Tool> tools) => null;

    public ValueTask RoundMadeAsync(RoundRecord round, CancellationToken cancellationToken) => default;

    public CallRecord? FindCall(string call) => null;

    public ValueTask CallStartedAsync(string call, CancellationToken cancellationToken)
    {
        HasStartedCalls = true;
        return default;
    }

    public ValueTask CallEndedAsync(string call, ServerCallResult result, CancellationToken cancellationToken) => default;
}
