using System.Diagnostics;

namespace Gateway.Load.Run;

/// <summary>A process of the run. It lives no longer than this object.</summary>
internal sealed class ChildProcess : IAsyncDisposable
{
    private const int KeptLines = 30;
    private static readonly TimeSpan EndTimeout = TimeSpan.FromSeconds(10);

    private readonly string _name;
    private readonly Process _process;
    private readonly Lock _gate = new();
    private readonly Queue<string> _lastLines = new();

    private ChildProcess(string name, ProcessStartInfo start)
    {
        _name = name;
        _process = new Process { StartInfo = start };
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.Start();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id => _process.Id;

    public TimeSpan Cpu => CpuClock.Of(_process.Id);

    public long ResidentBytes
    {
        get
        {
            _process.Refresh();
            return _process.WorkingSet64;
        }
    }

    /// <summary>For messages: whether it lives. Asked behind a failure, so it waits a moment for an end that is on its way.</summary>
    public string Condition => _process.WaitForExit(TimeSpan.FromMilliseconds(500)) ? $"has ended with code {_process.ExitCode}" : "still runs";

    /// <summary>The last lines of its output, for messages.</summary>
    public string LastOutput
    {
        get
        {
            lock (_gate)
            {
                return string.Join('\n', _lastLines);
            }
        }
    }

    /// <param name="name">For messages.</param>
    /// <param name="file">An executable, or a .dll for the dotnet host.</param>
    /// <param name="arguments">Its arguments.</param>
    /// <param name="environment">Variables added to this process's own.</param>
    public static ChildProcess Start(
        string name, string file, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null)
    {
        var isAssembly = file.EndsWith(".dll", StringComparison.Ordinal);
        var start = new ProcessStartInfo(isAssembly ? "dotnet" : file, isAssembly ? [file, .. arguments] : arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,

            // An ASP.NET Core executable looks for its appsettings.json here.
            WorkingDirectory = Path.GetDirectoryName(file) ?? string.Empty,
        };
        foreach (var (key, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[key] = value;
        }

        try
        {
            return new ChildProcess(name, start);
        }
        catch (System.ComponentModel.Win32Exception missing)
        {
            throw new LoadException($"{name}: '{start.FileName}' can not be started: {missing.Message}");
        }
    }

    /// <summary>Waits until <paramref name="isReady"/> says so.</summary>
    /// <exception cref="LoadException">It ended, or was not ready in time; the message has its last output.</exception>
    public async Task WhenReadyAsync(Func<CancellationToken, Task<bool>> isReady, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await isReady(cancellationToken))
        {
            if (_process.HasExited || Stopwatch.GetElapsedTime(started) > timeout)
            {
                throw new LoadException($"{_name} is not ready ({timeout.TotalSeconds:0} s allowed) and {Condition}. Its last output:\n{LastOutput}");
            }

            await Task.Delay(TimeSpan.FromMilliseconds(50), cancellationToken);
        }
    }

    /// <summary>Kills it without waiting. Nothing happens when it has ended already.</summary>
    public void End() => _process.Kill();

    public async ValueTask DisposeAsync()
    {
        End();
        using var timeout = new CancellationTokenSource(EndTimeout);
        await _process.WaitForExitAsync(timeout.Token);
        _process.Dispose();
    }

    private void Keep(string? line)
    {
        if (line is null)
        {
            return;
        }

        lock (_gate)
        {
            if (_lastLines.Count == KeptLines)
            {
                _lastLines.Dequeue();
            }

            _lastLines.Enqueue(line);
        }
    }
}
