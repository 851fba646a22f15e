using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Gateway.Tests.Store;

/// <summary>Keeps what was logged, and lets a test wait for an event.</summary>
internal sealed class StoreLogCollector<T> : ILogger<T>
{
    private readonly ConcurrentDictionary<int, TaskCompletionSource<string>> _events = new();

    /// <summary>The text of the first event with this id, now or later.</summary>
    public Task<string> WaitForAsync(int id) => Event(id).Task.WaitAsync(TimeSpan.FromSeconds(30));

    public IDisposable? BeginScope<TState>(TState state)
        where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(
        LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Event(eventId.Id).TrySetResult($"{logLevel}: {formatter(state, exception)} {exception}");

    private TaskCompletionSource<string> Event(int id) =>
        _events.GetOrAdd(id, _ => new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously));
}
