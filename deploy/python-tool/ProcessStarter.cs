using System.Collections.Concurrent;
using System.Diagnostics;

namespace PythonTool;

/// <summary>
/// Starts processes from one thread that lives as long as the server. <c>bwrap --die-with-parent</c> asks the kernel for a signal when its parent
/// dies, and to the kernel that is the thread that started it: from a thread of the pool, sandboxes would die whenever the pool shrinks.
/// </summary>
internal sealed class ProcessStarter : IDisposable
{
    private readonly BlockingCollection<(ProcessStartInfo Command, TaskCompletionSource<Process> Started)> _commands = [];

    public ProcessStarter() => new Thread(Run) { IsBackground = true, Name = "process starter" }.Start();

    public Task<Process> StartAsync(ProcessStartInfo command)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _commands.Add((command, started));
        return started.Task;
    }

    /// <summary>Ends the thread, and with it every sandbox that is left.</summary>
    public void Dispose() => _commands.CompleteAdding();

    private void Run()
    {
        foreach (var (command, started) in _commands.GetConsumingEnumerable())
        {
            try
            {
                started.SetResult(Process.Start(command)!);
            }
            catch (Exception e)
            {
                started.SetException(e);
            }
        }
    }
}
