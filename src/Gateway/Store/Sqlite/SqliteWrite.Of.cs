namespace Gateway.Store.Sqlite;

/// <summary>A write with its result, which is told only when its group is on disk.</summary>
internal sealed class SqliteWrite<T>(Func<SqliteSession, T> write, bool alone = false) : SqliteWrite
{
    private readonly TaskCompletionSource<T> _done = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private T? _result;

    public Task<T> Done => _done.Task;

    public override bool Alone => alone;

    public override void Execute(SqliteSession session) => _result = write(session);

    public override void Succeed() => _done.TrySetResult(_result!);

    public override void Fail(Exception exception) => _done.TrySetException(exception);
}
