using System.Collections.Concurrent;
using Microsoft.Extensions.Logging;

namespace Gateway.Testing;

/// <summary>One log message as it was written.</summary>
public sealed record CollectedLog(LogLevel Level, string Category, EventId EventId, string Message, Exception? Exception)
{
    public override string ToString() => Exception is null ? $"{Level} {Category}[{EventId.Id}] {Message}" : $"{Level} {Category}[{EventId.Id}] {Message}\n{Exception}";
}

/// <summary>Keeps what a gateway logs, so that a test can look at it and an unexpected error fails the test.</summary>
public sealed class CollectedLogs : ILoggerProvider
{
    private const int MaxKept = 100_000;

    private readonly ConcurrentQueue<CollectedLog> _logs = new();

    public IReadOnlyList<CollectedLog> All => [.. _logs];

    /// <summary>Errors and worse.</summary>
    public IEnumerable<CollectedLog> Errors => _logs.Where(log => log.Level >= LogLevel.Error);

    /// <summary>Everything in one text, for tests that look for what must not be logged.</summary>
    public string Text => string.Join('\n', _logs);

    public ILogger CreateLogger(string categoryName) => new Logger(this, categoryName);

    public void Dispose()
    {
        // Nothing is held.
    }

    private void Add(CollectedLog log)
    {
        if (_logs.Count < MaxKept)
        {
            _logs.Enqueue(log);
        }
    }

    private sealed class Logger(CollectedLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            logs.Add(new CollectedLog(logLevel, category, eventId, formatter(state, exception), exception));
    }
}
