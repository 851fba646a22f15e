namespace PythonTool.Tests;

/// <summary>
/// One server for the tests of a class. Its limits are small, so that going over them is quick; but the time of a call is long, so that a slow
/// machine is not taken for a broken limit.
/// </summary>
public sealed class SharedServer : IAsyncLifetime
{
    internal PythonToolServer Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() => Server = await PythonToolServer.StartAsync(
        "CallTime=00:01:00", "CpuTime=00:01:00", "MemoryBytes=268435456", "DiskBytes=8388608", "Files=1000", "Processes=16", "OutputBytes=20000",
        "CodeBytes=100000");

    public ValueTask DisposeAsync() => Server.DisposeAsync();
}
