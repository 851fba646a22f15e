using System.Buffers;
using System.Diagnostics;
using System.IO.Pipelines;
using System.Text;
using System.Text.Json;

namespace PythonTool;

/// <summary>
/// A sandbox with a live interpreter. It keeps its limits itself (<c>runner.py</c>); this side relies on nothing it says: answers are bounded in
/// size and time and may be no answers, and what goes wrong ends the sandbox.
/// </summary>
internal sealed class Sandbox : IAsyncDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(20);

    /// <summary>What the runner may take beyond the time of the call to end it and to tell of it.</summary>
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(10);

    /// <summary>How long a sandbox may take to end by itself before it is killed.</summary>
    private static readonly TimeSpan EndTime = TimeSpan.FromSeconds(2);

    private readonly Process _process;
    private readonly PipeReader _output;
    private readonly Task<string> _errors;
    private readonly PythonToolOptions _options;
    private readonly TimeProvider _time;
    private int _disposed;

    private Sandbox(Process process, PythonToolOptions options, TimeProvider time)
    {
        _process = process;
        _options = options;
        _time = time;
        _output = PipeReader.Create(process.StandardOutput.BaseStream, new StreamPipeReaderOptions(bufferSize: 65_536));
        _errors = ReadErrorsAsync(process.StandardError);
    }

    /// <summary>Whether it can not run another call.</summary>
    public bool Ended { get; private set; }

    /// <exception cref="StartupException">The sandbox could not be made. The message is bubblewrap's or the runner's.</exception>
    public static async Task<Sandbox> StartAsync(ProcessStarter starter, PythonToolOptions options, TimeProvider time, CancellationToken cancellationToken)
    {
        Process process;
        try
        {
            process = await starter.StartAsync(SandboxCommand.Create(options));
        }
        catch (Exception e) when (e is System.ComponentModel.Win32Exception or InvalidOperationException)
        {
            throw new StartupException($"{options.Bubblewrap} can not be started: {e.Message}");
        }

        var sandbox = new Sandbox(process, options, time);
        try
        {
            using var limit = new TimeLimit(StartTime, time, cancellationToken);
            if (await sandbox.ReadLineAsync(limit.Token) is null)
            {
                throw new StartupException($"bubblewrap made no sandbox: {(await sandbox._errors.WaitAsync(limit.Token)).Trim()}");
            }

            return sandbox;
        }
        catch (Exception e)
        {
            await sandbox.DisposeAsync();
            throw e is OperationCanceledException && !cancellationToken.IsCancellationRequested
                ? new StartupException($"bubblewrap made no sandbox within {StartTime.TotalSeconds:0} s.") : e;
        }
    }

    /// <summary>Runs code. Not to be called while another call runs.</summary>
    public async Task<CallResult> RunAsync(string code, CancellationToken cancellationToken)
    {
        // Until the answer says otherwise: whatever is thrown from here on leaves a sandbox that nobody knows the state of.
        Ended = true;
        using var limit = new TimeLimit(_options.CallTime + Grace, _time, cancellationToken);
        try
        {
            var request = JsonSerializer.SerializeToUtf8Bytes(new RunnerRequest(code), RunnerJson.Default.RunnerRequest);
            await _process.StandardInput.BaseStream.WriteAsync((byte[])[.. request, (byte)'\n'], limit.Token);
            await _process.StandardInput.BaseStream.FlushAsync(limit.Token);
            var line = await ReadLineAsync(limit.Token);
            var result = line is null ? null : JsonSerializer.Deserialize(line, RunnerJson.Default.CallResult);
            if (result is null)
            {
                return CallResult.Killed("the sandbox ended");
            }

            Ended = result.Ended;
            return result;
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new CallResult(CallStatus.Timeout, Reason: "the sandbox gave no answer in time", Ended: true);
        }
        catch (Exception e) when (e is IOException or JsonException or ObjectDisposedException)
        {
            return CallResult.Killed("the sandbox ended");
        }
    }

    /// <summary>Ends the sandbox. When this has completed, none of its processes is left.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        Ended = true;
        // The runner ends when its input does. Bubblewrap outlives it, and the kernel lets process 1 go only after every other process of its
        // namespace: so this end is known to be complete. A kill of bubblewrap is as sure, but does not wait for the rest.
        await CloseInputAsync();
        using var limit = new CancellationTokenSource(EndTime);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        await _output.CompleteAsync();
        _process.Dispose();
    }

    private async ValueTask CloseInputAsync()
    {
        try
        {
            await _process.StandardInput.DisposeAsync();
        }
        catch (IOException)
        {
            // It is closed on the other side already.
        }
    }

    /// <summary>The next line, or null when there is none, or none of a length that the runner would write.</summary>
    private async Task<byte[]?> ReadLineAsync(CancellationToken cancellationToken)
    {
        // Two streams, a traceback and a result; a byte is at most six characters of JSON.
        var most = (3L * 6 * _options.OutputBytes) + 65_536;
        while (true)
        {
            var read = await _output.ReadAsync(cancellationToken);
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var line = read.Buffer.Slice(0, end).ToArray();
                _output.AdvanceTo(read.Buffer.GetPosition(1, end));
                return line;
            }

            _output.AdvanceTo(read.Buffer.Start, read.Buffer.End);
            if (read.IsCompleted || read.Buffer.Length > most)
            {
                return null;
            }
        }
    }

    /// <summary>What bubblewrap and the runner complain of: the end of it, and all of it is read.</summary>
    private static async Task<string> ReadErrorsAsync(StreamReader errors)
    {
        const int Most = 2000;
        var kept = new StringBuilder();
        var buffer = new char[Most];
        for (int count; (count = await errors.ReadAsync(buffer)) > 0;)
        {
            kept.Append(buffer, 0, count).Remove(0, Math.Max(0, kept.Length - Most));
        }

        return kept.ToString();
    }
}
