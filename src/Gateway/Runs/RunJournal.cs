using Gateway.Protocol.Responses;
using Gateway.Tools;

namespace Gateway.Runs;

/// <summary>The journal of a run on this replica: what earlier holders of the run did, and what is being done now.</summary>
internal sealed class RunJournal : ILoopJournal
{
    private readonly RunOutput _output;
    private readonly RunControl _control;
    private readonly Queue<ReadOnlyMemory<byte>> _rounds = new();
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _lists = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CallRecord> _calls = new(StringComparer.Ordinal);

    /// <exception cref="InvalidDataException">The journal is damaged.</exception>
    public RunJournal(IReadOnlyList<ReadOnlyMemory<byte>> entries, RunOutput output, RunControl control)
    {
        _output = output;
        _control = control;
        foreach (var entry in entries)
        {
            using var document = JournalEntry.Open(entry);
            var root = document.RootElement;
            switch (JournalEntry.KindOf(root))
            {
                case "round":
                    _rounds.Enqueue(entry);
                    break;
                case "list":
                    var (label, item) = JournalEntry.ReadList(root);
                    _lists[label] = item;
                    break;
                case "start":
                    _calls[JournalEntry.CallOf(root)] = new CallRecord(null);
                    break;
                case "end":
                    _calls[JournalEntry.CallOf(root)] = new CallRecord(JournalEntry.ReadEnd(root));
                    break;
            }
        }
    }

    public CancellationToken HandOver => _control.HandingOver;

    // Without its type, null would become an empty list: an array converts to a memory, and null to an array.
    public ReadOnlyMemory<byte>? FindList(string serverLabel) => _lists.TryGetValue(serverLabel, out var item) ? item : default(ReadOnlyMemory<byte>?);

    public ValueTask ListedAsync(string serverLabel, ReadOnlyMemory<byte> item, CancellationToken cancellationToken) =>
        _output.AppendAsync(JournalEntry.List(serverLabel, item), cancellationToken);

    public RoundRecord? TakeRound(IReadOnlyList<Tool> tools)
    {
        if (!_rounds.TryDequeue(out var entry))
        {
            return null;
        }

        using var document = JournalEntry.Open(entry);
        return JournalEntry.ReadRound(document.RootElement, tools);
    }

    public ValueTask RoundMadeAsync(RoundRecord round, CancellationToken cancellationToken) =>
        _output.AppendAsync(JournalEntry.Round(round), cancellationToken);

    public CallRecord? FindCall(string call) => _calls.GetValueOrDefault(call);

    public async ValueTask CallStartedAsync(string call, CancellationToken cancellationToken)
    {
        _control.HandingOver.ThrowIfCancellationRequested();
        await _output.AppendAsync(JournalEntry.Started(call), cancellationToken);
    }

    /// <summary>Not cancelled with the call: it has happened, and whoever goes on should know.</summary>
    public ValueTask CallEndedAsync(string call, ServerCallResult result, CancellationToken cancellationToken) =>
        _output.AppendAsync(JournalEntry.Ended(call, result), CancellationToken.None);
}
