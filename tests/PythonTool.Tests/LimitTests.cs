namespace PythonTool.Tests;

/// <summary>Hostile code: what it may not use up, and that nothing of it stays.</summary>
public sealed class LimitTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private PythonToolServer Server => shared.Server;

    [Fact]
    public async Task Output_WithoutEnd_IsCutAndDrained()
    {
        var call = await Server.RunAsync("import sys\nfor _ in range(5000): print('x' * 1000)\nsys.stderr.write('y' * 1000000)\n'z' * 1000000");

        Assert.Equal("ok", call.Status);
        Assert.StartsWith("xxx", call.Stdout, StringComparison.Ordinal);
        Assert.EndsWith("\n[... 4985000 bytes cut ...]\n", call.Stdout, StringComparison.Ordinal);
        Assert.Equal(20_000, call.Stdout.LastIndexOf("\n[... ", StringComparison.Ordinal));
        Assert.Equal("\n[... 1000000 bytes cut ...]\n", call.Stderr);
        Assert.Equal("'" + new string('z', 9_967) + "\n[... 980066 bytes cut ...]\n" + new string('z', 9_967) + "'", call.Result);
    }

    [Fact]
    public async Task Output_ThatGrowsInJson_Arrives()
    {
        var call = await Server.RunAsync("import os; _ = os.write(1, bytes(20000)); '\\x00' * 0 + chr(233) * 5000");

        Assert.Equal((new string('\0', 20_000), "'" + new string('é', 5_000) + "'"), (call.Stdout, call.Result));
    }

    [Theory]
    [InlineData("while True: print('x' * 1000)")]
    [InlineData("while True: pass")]
    [InlineData("import signal\nfor s in set(signal.valid_signals()) - {9, 19}: signal.signal(s, signal.SIG_IGN)\nwhile True: pass")]
    [InlineData("while True:\n    try:\n        while True: pass\n    except BaseException: pass")]
    [InlineData("import re; re.match('(a+)+$', 'a' * 60 + 'b')")]
    [InlineData("import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")]
    [InlineData("import time; time.sleep(1e6)")]
    public async Task Call_WithoutEnd_TimesOut(string code)
    {
        await using var server = await PythonToolServer.StartAsync("CallTime=00:00:01", "Processes=16");
        var marker = HostProcesses.NewMarker();

        var call = await server.RunAsync($"import subprocess; subprocess.Popen(['sleep', '{marker}'])\n" + code, "one");

        Assert.Equal("timeout", call.Status);
        Assert.DoesNotContain(HostProcesses.Find(marker), id => HostProcesses.State(id) != 'Z');
        Assert.Equal("2", (await server.RunAsync("1 + 1", "two")).Result);
    }

    [Fact]
    public async Task CpuTime_OfAllProcesses_IsLimited()
    {
        await using var server = await PythonToolServer.StartAsync("CpuTime=00:00:01", "CallTime=00:01:00");

        var call = await server.RunAsync("import os\nos.fork(); os.fork()\nwhile True: pass");

        Assert.Equal(("killed", "it used more than 1 s of CPU time"), (call.Status, call.Reason));
    }

    [Fact]
    public async Task CpuTime_IsCountedForEachCall()
    {
        await using var server = await PythonToolServer.StartAsync("CpuTime=00:00:01", "CallTime=00:01:00");
        for (var i = 0; i < 3; i++)
        {
            var call = await server.RunAsync("import time\nwhile time.process_time() < globals().get('used', 0) + 0.6: pass\nused = time.process_time()", "one");

            Assert.Equal("ok", call.Status);
        }
    }

    [Fact]
    public async Task ForkBomb_IsContained()
    {
        var marker = HostProcesses.NewMarker();

        var call = await Server.RunAsync($"""
            import os, time
            started = 0
            try:
                while True:
                    if os.fork() == 0:
                        os.execvp('sleep', ['sleep', '{marker}'])
                    started += 1
            except BlockingIOError:
                pass
            started
            """);

        Assert.Equal("15", call.Result); // 16 with the interpreter
        Assert.Empty(HostProcesses.Find(marker));
    }

    [Fact]
    public async Task Threads_AreLimited()
    {
        var call = await Server.RunAsync(
            "import threading\nstop = threading.Event()\nwhile True: threading.Thread(target=stop.wait, daemon=True).start()");

        Assert.Contains("can't start new thread", call.Stderr, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("'x' * 10**9")]
    [InlineData("kept = []\nwhile True: kept.append(bytearray(10**6))")]
    public async Task Memory_OfOneProcess_IsLimited(string code)
    {
        var call = await Server.RunAsync(code);

        Assert.Equal("error", call.Status);
        Assert.Contains("MemoryError", call.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Memory_OfAllProcesses_IsLimited()
    {
        var call = await Server.RunAsync("import os, time\nfor _ in range(3): os.fork()\nkept = bytearray(b'x') * 150_000_000\nwhile True: time.sleep(1)");

        Assert.Equal(("killed", "it used more than 268435456 bytes of memory"), (call.Status, call.Reason));
    }

    [Fact]
    public async Task Memory_SharedAfterFork_IsCountedOnce()
    {
        var call = await Server.RunAsync("""
            import os, time
            kept = bytearray(b'x') * 100_000_000
            children = []
            for _ in range(5):
                if (child := os.fork()) == 0:
                    until = time.monotonic() + 0.5
                    while time.monotonic() < until: pass
                    os._exit(0)
                children.append(child)
            [os.waitpid(child, 0)[1] for child in children]
            """);

        Assert.Equal("[0, 0, 0, 0, 0]", call.Result);
    }

    [Theory]
    [InlineData("/sandbox")]
    [InlineData("/tmp")]
    [InlineData("/dev/shm")]
    public async Task Disk_IsLimited(string folder)
    {
        var call = await Server.RunAsync(
            $"with open('{folder}/a', 'wb') as a, open('{folder}/b', 'wb') as b:\n    while True: a.write(bytes(65536)); b.write(bytes(65536))");

        Assert.Contains("[Errno 28] No space left on device", call.Stderr, StringComparison.Ordinal);
        Assert.Equal("0", (await Server.RunAsync($"import os; len(os.listdir('{folder}'))")).Result);
    }

    [Fact]
    public async Task File_IsLimited()
    {
        var call = await Server.RunAsync("open('/sandbox/a', 'wb').truncate(8388609)");

        Assert.Contains("[Errno 27] File too large", call.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Files_AreLimited()
    {
        var call = await Server.RunAsync("i = 0\nwhile True: open(f'/tmp/{i}', 'w').close(); i += 1");

        Assert.Equal(("killed", "it made more than 1000 files"), (call.Status, call.Reason));
    }

    [Fact]
    public async Task OpenFiles_AreLimited()
    {
        var call = await Server.RunAsync("kept = []\nwhile True: kept.append(open('/dev/null'))");

        Assert.Contains("[Errno 24] Too many open files", call.Stderr, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Limits_CanNotBeRaised()
    {
        var call = await Server.RunAsync("""
            import resource
            raised = []
            for limit in resource.RLIMIT_AS, resource.RLIMIT_NPROC, resource.RLIMIT_NOFILE, resource.RLIMIT_FSIZE, resource.RLIMIT_CORE:
                try: raised.append(resource.setrlimit(limit, (resource.getrlimit(limit)[1] + 1,) * 2))
                except ValueError: pass
            raised
            """);

        Assert.Equal("[]", call.Result);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("daemons")]
    public async Task Daemons_DoNotOutliveTheCall(string? session)
    {
        var marker = HostProcesses.NewMarker();

        var call = await Server.RunAsync($"""
            import os, signal
            down, up = os.pipe()
            for _ in range(3):
                if os.fork() == 0:
                    os.setsid()
                    if os.fork() == 0:
                        for number in set(signal.valid_signals()) - {"{"}signal.SIGKILL, signal.SIGSTOP{"}"}:
                            signal.signal(number, signal.SIG_IGN)
                        os.write(up, b'x')
                        os.execvp('sleep', ['sleep', '{marker}'])
                    os._exit(0)
            len(os.read(down, 1) + os.read(down, 1) + os.read(down, 1))
            """, session);

        Assert.Equal(("ok", "3"), (call.Status, call.Result));
        Assert.DoesNotContain(HostProcesses.Find(marker), id => HostProcesses.State(id) != 'Z');
    }
}
