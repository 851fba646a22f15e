using System.Text.Json.Nodes;
using ModelContextProtocol.Protocol;

namespace Gateway.Testing.Mcp;

/// <summary>A slow tool without a clock: each call waits until the test releases it, and the test knows which calls began and which were cancelled.</summary>
public sealed class HeldMcpTool : IDisposable
{
    private readonly SemaphoreSlim _reached = new(0);
    private readonly SemaphoreSlim _released = new(0);
    private readonly SemaphoreSlim _cancelled = new(0);

    public HeldMcpTool(string name = "held") => Tool = new TestMcpTool(name, HoldAsync) { Description = "Waits." };

    public TestMcpTool Tool { get; }

    /// <summary>Waits until one more call has begun.</summary>
    public Task ReachedAsync(CancellationToken cancellationToken) => _reached.WaitAsync(cancellationToken);

    /// <summary>Waits until one more call was cancelled while it was held.</summary>
    public Task CancelledAsync(CancellationToken cancellationToken) => _cancelled.WaitAsync(cancellationToken);

    /// <summary>Lets so many calls answer <c>released</c>: those that wait, or those that come.</summary>
    public void Release(int calls = 1) => _released.Release(calls);

    public void Dispose()
    {
        _reached.Dispose();
        _released.Dispose();
        _cancelled.Dispose();
    }

    private async Task<CallToolResult> HoldAsync(JsonObject arguments, JsonObject? meta, CancellationToken cancellationToken)
    {
        _reached.Release();
        try
        {
            await _released.WaitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            _cancelled.Release();
            throw;
        }

        return TestMcpTools.Text("released");
    }
}
