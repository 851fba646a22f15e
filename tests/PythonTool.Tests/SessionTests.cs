using System.Diagnostics;

namespace PythonTool.Tests;

public sealed class SessionTests
{
    [Fact]
    public async Task Session_NextCall_HasItsVariablesAndFiles()
    {
        await using var server = await PythonToolServer.StartAsync();
        await server.RunAsync("x = 41\nopen('note', 'w').write('kept')", "one");

        var call = await server.RunAsync("x + 1, open('note').read()", "one");

        Assert.Equal("(42, 'kept')", call.Result);
    }

    [Fact]
    public async Task Session_OtherKeys_SeeNothingOfIt()
    {
        await using var server = await PythonToolServer.StartAsync();
        await server.RunAsync("x = 41\nfor folder in '/sandbox', '/tmp', '/dev/shm': open(folder + '/note', 'w').write('a')", "one");
        foreach (var other in (string?[])["two", "One", "one ", "one\0", null])
        {
            var call = await server.RunAsync("import os; 'x' in globals(), os.listdir('/sandbox'), os.listdir('/tmp'), os.listdir('/dev/shm')", other);

            Assert.Equal("(False, [], [], [])", call.Result);
        }
    }

    [Fact]
    public async Task NoSession_EachCall_IsFreshAndLeavesItsPlace()
    {
        await using var server = await PythonToolServer.StartAsync("Sandboxes=1");
        await server.RunAsync("x = 41");

        var call = await server.RunAsync("'x' in globals()");

        Assert.Equal("False", call.Result);
    }

    [Fact]
    public async Task Session_IdleLongEnough_IsGone()
    {
        await using var server = await PythonToolServer.StartAsync("SessionIdle=00:20:00");
        var marker = HostProcesses.NewMarker();
        await server.RunAsync("x = 41\n" + NameProcess(marker), "one");
        server.Time.Advance(TimeSpan.FromSeconds(1199));
        Assert.Equal("True", (await server.RunAsync("'x' in globals()", "one")).Result);
        server.Time.Advance(TimeSpan.FromSeconds(1199));
        Assert.Single(HostProcesses.Find(marker));

        server.Time.Advance(TimeSpan.FromSeconds(1));

        Assert.Equal("False", (await server.RunAsync("'x' in globals()", "one")).Result);
        await HostProcesses.WaitForNoneAsync(marker);
    }

    [Fact]
    public async Task Sandboxes_AreAllTaken_TheLongestIdleMakesRoom()
    {
        await using var server = await PythonToolServer.StartAsync("Sandboxes=2");
        await server.RunAsync("x = 1", "used again");
        server.Time.Advance(TimeSpan.FromSeconds(1));
        await server.RunAsync("x = 2", "idle");
        server.Time.Advance(TimeSpan.FromSeconds(1));
        await server.RunAsync("x", "used again");
        server.Time.Advance(TimeSpan.FromSeconds(1));

        await server.RunAsync("x = 3", "third");

        Assert.Equal("1", (await server.RunAsync("x", "used again")).Result);
        Assert.Contains("NameError", (await server.RunAsync("x", "idle")).Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sandboxes_AreAllBusy_OthersAreRefused()
    {
        await using var server = await PythonToolServer.StartAsync("Sandboxes=1");
        using var cancel = new CancellationTokenSource();
        var marker = HostProcesses.NewMarker();
        var busy = server.RunAsync(Sleep(marker), "one", cancel.Token);
        await HostProcesses.WaitForAsync(marker);

        var call = await server.RunAsync("1", "two");

        Assert.Equal((true, "refused", "every sandbox is busy; try again later"), (call.IsError, call.Status, call.Reason));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => busy);
    }

    [Fact]
    public async Task Session_CallsAtOnce_RunOneAfterTheOther()
    {
        await using var server = await PythonToolServer.StartAsync();
        const string Code = """
            import os
            os.mkdir('alone')
            count = globals().get('count', 0) + 1 + 0 * sum(range(1000000))
            os.rmdir('alone')
            count
            """;

        var calls = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => server.RunAsync(Code, "one")));

        Assert.Equal(["1", "2", "3", "4", "5"], calls.Select(call => call.Result).Order());
    }

    [Fact]
    public async Task Session_TooManyCallsAtOnce_AreRefused()
    {
        await using var server = await PythonToolServer.StartAsync();
        using var cancel = new CancellationTokenSource();
        var marker = HostProcesses.NewMarker();
        var busy = server.RunAsync(Sleep(marker), "one", cancel.Token);
        await HostProcesses.WaitForAsync(marker);

        // 16 may wait: of 17 that come now, it is the last to arrive that is refused.
        var others = Enumerable.Range(0, 17).Select(_ => server.RunAsync("1", "one", cancel.Token)).ToList();
        var refused = await await Task.WhenAny(others);

        Assert.Equal(("refused", "too many calls wait for this session"), (refused.Status, refused.Reason));
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => busy);
    }

    [Fact]
    public async Task Call_IsCancelledByTheClient_EndsTheSandbox()
    {
        await using var server = await PythonToolServer.StartAsync();
        using var cancel = new CancellationTokenSource();
        var marker = HostProcesses.NewMarker();
        await server.RunAsync("x = 41", "one");
        var call = server.RunAsync(Sleep(marker), "one", cancel.Token);
        await HostProcesses.WaitForAsync(marker);

        await cancel.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await HostProcesses.WaitForNoneAsync(marker);
        Assert.Equal("False", (await server.RunAsync("'x' in globals()", "one")).Result);
    }

    [Fact]
    public async Task Timeout_InASession_LosesItsStateAndSaysSo()
    {
        await using var server = await PythonToolServer.StartAsync("CallTime=00:00:01");
        await server.RunAsync("x = 41", "one");

        var call = await server.RunAsync("print('before', flush=True)\nwhile True: pass", "one");

        Assert.Equal((true, "timeout", "before\n"), (call.IsError, call.Status, call.Stdout));
        Assert.EndsWith(
            "[timeout] The code was ended: it ran longer than 1 s. Variables and files of earlier calls are lost; the next call starts afresh.",
            call.Text, StringComparison.Ordinal);
        Assert.Equal("False", (await server.RunAsync("'x' in globals()", "one")).Result);
    }

    [Fact]
    public async Task Sandbox_GivesNoAnswer_IsGivenUp()
    {
        await using var server = await PythonToolServer.StartAsync("CallTime=00:10:00");
        var marker = HostProcesses.NewMarker();
        var call = server.RunAsync(Sleep(marker), "one");
        await HostProcesses.WaitForAsync(marker);

        server.Time.Advance(TimeSpan.FromSeconds(610));

        Assert.Equal(("timeout", "the sandbox gave no answer in time"), ((await call).Status, (await call).Reason));
        Assert.Empty(HostProcesses.Find(marker));
        Assert.Equal("2", (await server.RunAsync("1 + 1", "one")).Result);
    }

    [Fact]
    public async Task Interpreter_KilledFromOutsideBetweenCalls_NextCallSaysSo()
    {
        await using var server = await PythonToolServer.StartAsync();
        var marker = HostProcesses.NewMarker();
        await server.RunAsync(NameProcess(marker), "one");
        using (var process = Process.GetProcessById(Assert.Single(HostProcesses.Find(marker))))
        {
            process.Kill();
        }

        var call = await server.RunAsync("1", "one");

        Assert.Equal(("killed", "it was ended by signal 9"), (call.Status, call.Reason));
        Assert.Equal("2", (await server.RunAsync("1 + 1", "one")).Result);
    }

    [Fact]
    public async Task Error_InASession_KeepsItsState()
    {
        await using var server = await PythonToolServer.StartAsync();
        await server.RunAsync("x = 41\n1 / 0", "one");

        Assert.Equal("41", (await server.RunAsync("x", "one")).Result);
    }

    [Fact]
    public async Task Session_BetweenCalls_StandsStill()
    {
        await using var server = await PythonToolServer.StartAsync();
        var marker = HostProcesses.NewMarker();
        await server.RunAsync(NameProcess(marker) + "\nimport threading\ndef spin():\n    while True: pass\nthreading.Thread(target=spin).start()", "one");

        Assert.Equal('T', HostProcesses.State(Assert.Single(HostProcesses.Find(marker))));
        Assert.Equal("2", (await server.RunAsync("threading.active_count()", "one")).Result);
    }

    [Fact]
    public async Task Children_LeftRunning_AreEndedAndCollected()
    {
        await using var server = await PythonToolServer.StartAsync("Processes=8");
        var marker = HostProcesses.NewMarker();
        for (var i = 0; i < 4; i++)
        {
            Assert.Equal("ok", (await server.RunAsync($"import subprocess\nfor _ in range(5): subprocess.Popen(['sleep', '{marker}'])", "one")).Status);
            Assert.DoesNotContain(HostProcesses.Find(marker), id => HostProcesses.State(id) != 'Z');
        }
    }

    [Fact]
    public async Task Server_Stops_CallsEndWithAResultAndNothingIsLeft()
    {
        await using var server = await PythonToolServer.StartAsync();
        string[] markers = [HostProcesses.NewMarker(), HostProcesses.NewMarker()];
        await server.RunAsync(NameProcess(markers[0]), "idle");
        var busy = server.RunAsync(Sleep(markers[1]), "busy");
        await HostProcesses.WaitForAsync(markers[1]);

        await server.StopAsync();

        var call = await busy;
        Assert.Equal(("killed", "the server is stopping"), (call.Status, call.Reason));
        Assert.Empty(markers.SelectMany(HostProcesses.Find));
    }

    /// <summary>Code that runs a program with the marker as its argument, and waits for it.</summary>
    private static string Sleep(string marker) => $"import subprocess; subprocess.run(['sleep', '{marker}'])";

    /// <summary>Code that gives the interpreter's process the marker as its name.</summary>
    private static string NameProcess(string marker) => $"import ctypes; ctypes.CDLL(None).prctl(15, b'{marker}', 0, 0, 0)";
}
