using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Gateway.Egress;

namespace Gateway.Tests.Egress;

/// <summary>Answers for names as a test says, with another answer for each question if it wants; the last one stays.</summary>
internal sealed class ScriptedResolver : IHostResolver
{
    private readonly ConcurrentDictionary<string, Queue<IPAddress[]>> _answers = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, TaskCompletionSource<IPAddress[]>> _held = new(StringComparer.Ordinal);

    /// <summary>The names that were asked for, in order.</summary>
    public ConcurrentQueue<string> Questions { get; } = new();

    public ScriptedResolver Add(string host, params string[] addresses)
    {
        _answers.GetOrAdd(host, _ => new()).Enqueue([.. addresses.Select(IPAddress.Parse)]);
        return this;
    }

    /// <summary>Never answers for this name, and does not hear of cancellations.</summary>
    public void Hold(string host) => _held.TryAdd(host, new());

    public Task<IPAddress[]> ResolveAsync(string host, CancellationToken cancellationToken)
    {
        Questions.Enqueue(host);
        if (_held.TryGetValue(host, out var held))
        {
            return held.Task;
        }

        return _answers.TryGetValue(host, out var answers)
            ? Task.FromResult(answers.Count > 1 ? answers.Dequeue() : answers.Peek())
            : Task.FromException<IPAddress[]>(new SocketException((int)SocketError.HostNotFound));
    }
}
