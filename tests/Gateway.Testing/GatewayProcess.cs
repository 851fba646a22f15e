using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Gateway.Testing;

/// <summary>The built executable as a process of its own, for tests that kill it.</summary>
public sealed partial class GatewayProcess : IAsyncDisposable
{
    private static readonly TimeSpan StartTime = TimeSpan.FromSeconds(60);

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();
    private readonly SemaphoreSlim _printed = new(0);
    private readonly TaskCompletionSource<Uri> _listening = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private GatewayProcess(ProcessStartInfo start)
    {
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => Read(line.Data);
        _process.ErrorDataReceived += (_, line) => Read(line.Data);
        _process.Exited += (_, _) => _listening.TrySetException(new InvalidOperationException($"The gateway ended before it listened:\n{Output}"));
    }

    public Uri BaseAddress { get; private set; } = null!;

    public HttpClient Client { get; private set; } = null!;

    /// <summary>What it has printed so far.</summary>
    public string Output => string.Join('\n', _output);

    /// <summary>Starts the executable and waits until it listens. Its <see cref="TestGatewayOptions.StorePath"/> must be set; its clock is the real one.</summary>
    public static Task<GatewayProcess> StartAsync(TestGatewayOptions options)
    {
        ArgumentNullException.ThrowIfNull(options.StorePath);
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = options.StorePath };
        start.ArgumentList.Add(typeof(Hosting.GatewayApplication).Assembly.Location);
        foreach (var argument in options.ToArguments(options.StorePath))
        {
            start.ArgumentList.Add(argument);
        }

        return StartAsync(start);
    }

    /// <summary>Starts a gateway by a command line and an environment of the test's own, and waits until it listens on an IPv4 address.</summary>
    public static async Task<GatewayProcess> StartAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        start.RedirectStandardError = true;
        var gateway = new GatewayProcess(start);
        gateway._process.Start();
        try
        {
            gateway._process.BeginOutputReadLine();
            gateway._process.BeginErrorReadLine();
            gateway.BaseAddress = await gateway._listening.Task.WaitAsync(StartTime);
            gateway.Client = new HttpClient { BaseAddress = gateway.BaseAddress };
            return gateway;
        }
        catch
        {
            await gateway.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the process with SIGKILL: nothing of it runs any more.</summary>
    public async Task KillAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
        }

        await _process.WaitForExitAsync();
    }

    /// <summary>Sends it a signal, such as <c>TERM</c>, <c>STOP</c> or <c>CONT</c>.</summary>
    public async Task SignalAsync(string signal)
    {
        using var kill = Process.Start("kill", [$"-{signal}", _process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        if (kill.ExitCode != 0)
        {
            throw new InvalidOperationException($"The gateway did not get SIG{signal}.");
        }
    }

    /// <summary>Waits until it has ended by itself, and returns its exit code.</summary>
    public async Task<int> ExitAsync(CancellationToken cancellationToken)
    {
        await _process.WaitForExitAsync(cancellationToken);
        return _process.ExitCode;
    }

    /// <summary>Waits until it has printed a text.</summary>
    public async Task PrintedAsync(string text, CancellationToken cancellationToken)
    {
        while (!Output.Contains(text, StringComparison.Ordinal))
        {
            await _printed.WaitAsync(cancellationToken);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client?.Dispose();
        await KillAsync();
        _process.Dispose();
        _printed.Dispose();
    }

    private void Read(string? line)
    {
        if (line is null)
        {
            return;
        }

        _output.Enqueue(line);
        _printed.Release();
        if (Listening().Match(line) is { Success: true } match)
        {
            _listening.TrySetResult(new Uri(match.Groups[1].Value));
        }
    }

    [GeneratedRegex(@"Now listening on:? +(http://[0-9.:]+)")]
    private static partial Regex Listening();
}
