using System.Diagnostics;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;

namespace Gateway.Testing.Scripting;

/// <summary>One request that the scripted upstream got.</summary>
public sealed class RecordedCall
{
    private readonly TaskCompletionSource<long> _clientLeft = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _finished = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal RecordedCall(HttpRequest request, ReadOnlyMemory<byte> body, string connection)
    {
        Path = request.Path.Value ?? "";
        Headers = request.Headers.ToDictionary(h => h.Key, h => h.Value.ToString(), StringComparer.OrdinalIgnoreCase);
        RawBody = body;
        Body = JsonNode.Parse(body.Span)!.AsObject();
        Connection = connection;
    }

    public string Path { get; }

    public IReadOnlyDictionary<string, string> Headers { get; }

    public ReadOnlyMemory<byte> RawBody { get; }

    public JsonObject Body { get; }

    /// <summary>The connection it came on: equal for calls on one kept-alive connection.</summary>
    public string Connection { get; }

    public bool Stream => Body["stream"]?.GetValue<bool>() == true;

    public JsonArray Messages => Body["messages"]!.AsArray();

    /// <summary>The roles of the messages, in order.</summary>
    public IEnumerable<string> Roles => Messages.Select(m => m!["role"]!.GetValue<string>());

    /// <summary>Done, with a <see cref="Stopwatch"/> timestamp, when the client broke the call off before the answer's end.</summary>
    public Task<long> ClientLeft => _clientLeft.Task;

    /// <summary>Done when the answer was sent to its end.</summary>
    public Task Finished => _finished.Task;

    internal void SetClientLeft() => _clientLeft.TrySetResult(Stopwatch.GetTimestamp());

    internal void SetFinished() => _finished.TrySetResult();
}
