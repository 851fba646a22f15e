using System.Net;
using System.Net.Sockets;

namespace PythonTool.Tests;

/// <summary>Hostile code: what it may not see, reach or do.</summary>
public sealed class SandboxTests(SharedServer shared) : IClassFixture<SharedServer>
{
    private PythonToolServer Server => shared.Server;

    [Theory]
    [InlineData("/etc/passwd")]
    [InlineData("/etc/shadow")]
    [InlineData("/etc/hostname")]
    [InlineData("/etc/resolv.conf")]
    [InlineData("/root")]
    [InlineData("/home")]
    [InlineData("/var")]
    [InlineData("/run")]
    [InlineData("/sys")]
    [InlineData("/proc/1/environ")]
    [InlineData("/proc/1/mem")]
    [InlineData("/proc/1/fd/0")]
    [InlineData("/proc/1/root/etc")]
    [InlineData("/proc/kcore")]
    [InlineData("/dev/mem")]
    [InlineData("/dev/kmsg")]
    public async Task HostFile_IsNotReadable(string path)
    {
        var call = await Server.RunAsync($"import os\nos.listdir('{path}') if os.path.isdir('{path}') else open('{path}', 'rb').read(1)");

        Assert.Equal("error", call.Status);
        Assert.Matches("FileNotFoundError|PermissionError", call.Stderr);
    }

    [Fact]
    public async Task Root_HoldsPythonAndOwnFoldersOnly()
    {
        var call = await Server.RunAsync("import os; set(os.listdir('/')) - {'bin', 'dev', 'etc', 'lib', 'lib64', 'proc', 'sandbox', 'sbin', 'tmp', 'usr'}, "
            + "set(os.listdir('/etc')) - {'alternatives', 'ld.so.cache'}");

        Assert.Equal("(set(), set())", call.Result);
    }

    [Fact]
    public async Task ServersOwnFiles_AreNotThere()
    {
        Assert.True(File.Exists(Path.Combine(AppContext.BaseDirectory, "python-tool.dll")));

        var call = await Server.RunAsync($"import os; os.path.exists('{AppContext.BaseDirectory}')");

        Assert.Equal("False", call.Result);
    }

    [Fact]
    public async Task HostProcesses_AreNotThere()
    {
        var call = await Server.RunAsync(
            $"import os; sorted(int(n) for n in os.listdir('/proc') if n.isdigit()) == [1, os.getpid()], os.path.exists('/proc/{Environment.ProcessId}')");

        Assert.Equal("(True, False)", call.Result);
    }

    [Fact]
    public async Task HostProcesses_CanNotBeSignalled()
    {
        var call = await Server.RunAsync(Attempt($"os.kill({Environment.ProcessId}, 0)", "os.kill(2**22 - 1, 9)"));

        Assert.Equal("['ProcessLookupError', 'ProcessLookupError']", call.Result);
    }

    [Fact]
    public async Task Runner_CanNotBeHarmed()
    {
        // Process 1 gets no signal from within its namespace, is closed to ptrace, and keeps its own limits and priority.
        var call = await Server.RunAsync(Attempt("os.setpriority(os.PRIO_PROCESS, 1, 19)", "resource.prlimit(1, resource.RLIMIT_CPU, (0, 0))")
            + "\nfor number in range(1, 65):\n    try: os.kill(1, number)\n    except OSError: pass\nseen");

        Assert.Equal("['PermissionError', 'PermissionError']", call.Result);
    }

    [Fact]
    public async Task Environment_HasNoSecrets()
    {
        var call = await Server.RunAsync("import os; sorted(os.environ)");

        Assert.Equal("['HOME', 'LANG', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'PATH', 'PWD']", call.Result);
    }

    [Fact]
    public async Task Descriptors_OfTheServer_AreNotInherited()
    {
        // Standard streams, the socket to the runner, and the folder that is being listed.
        var call = await Server.RunAsync("import os; len(os.listdir('/proc/self/fd'))");

        Assert.Equal("5", call.Result);
    }

    [Fact]
    public async Task Network_OfTheHost_IsOutOfReach()
    {
        using var tcp = new TcpListener(IPAddress.Loopback, 0);
        tcp.Start();
        using var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var abstractName = "\0" + HostProcesses.NewMarker();
        using var local = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        local.Bind(new UnixDomainSocketEndPoint(abstractName));
        local.Listen();
        var call = await Server.RunAsync(Attempt(
            $"socket.create_connection(('127.0.0.1', {((IPEndPoint)tcp.LocalEndpoint).Port}))",
            "socket.create_connection(('192.0.2.1', 80))",
            "socket.getaddrinfo('example.com', 80)",
            $"socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('192.0.2.1', {((IPEndPoint)udp.Client.LocalEndPoint!).Port}))",
            $"socket.socket(socket.AF_UNIX).connect('\\0{abstractName[1..]}')",
            "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
            "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
            "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)",
            "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
            "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)"));

        Assert.Equal(
            "['ConnectionRefusedError', 'OSError', 'gaierror', 'OSError', 'ConnectionRefusedError', 'PermissionError', 'OSError', 'OSError', 'OSError', 'OSError']",
            call.Result);
        Assert.False(tcp.Pending());
    }

    [Fact]
    public async Task Loopback_OfTheSandbox_IsItsOwn()
    {
        using var udp = new UdpClient(new IPEndPoint(IPAddress.Loopback, 0));
        var port = ((IPEndPoint)udp.Client.LocalEndPoint!).Port;

        var call = await Server.RunAsync($"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))");

        Assert.Equal("1", call.Result); // sent, to nobody: the host's socket is another one
        Assert.Equal(0, udp.Available);
    }

    [Fact]
    public async Task Writing_OutsideOwnFolders_Fails()
    {
        var call = await Server.RunAsync(Attempt(
            "open('/x', 'w')", "open('/usr/x', 'w')", "open('/usr/lib/x', 'w')", "open('/bin/x', 'w')", "open('/dev/x', 'w')", "os.mkdir('/x')",
            "os.rename('/usr/bin', '/usr/x')", "os.chmod('/usr/bin/env', 0o777)", "open('/proc/sys/kernel/hostname', 'w').write('x')",
            "open('/proc/1/oom_score_adj', 'w').write('0')", "open('/proc/sys/kernel/core_pattern', 'w').write('x')"));

        Assert.All(Read(call), error => Assert.Matches("'(OSError|PermissionError)'", error));
        Assert.Equal(11, Read(call).Length);
    }

    [Fact]
    public async Task Kernel_RefusesNamespacesMountsAndPtrace()
    {
        // By number for clone with CLONE_NEWUSER, which the C library would hide.
        var call = await Server.RunAsync("""
            import ctypes, errno, os, platform
            libc = ctypes.CDLL(None, use_errno=True)
            def refused(function, *arguments):
                ctypes.set_errno(0)
                done = getattr(libc, function)(*arguments)
                return done == -1 and errno.errorcode[ctypes.get_errno()]
            clone = {'x86_64': 56, 'aarch64': 220}[platform.machine()]
            [refused('unshare', 0x10000000), refused('unshare', 0x00020000), refused('setns', 0, 0), refused('mount', b'x', b'/sandbox', b'tmpfs', 0, None),
             refused('umount2', b'/proc', 2), refused('chroot', b'/sandbox'), refused('ptrace', 16, 1, None, None), refused('ptrace', 0, 0, None, None),
             refused('syscall', clone, 0x10000000 | 17, None, None, None, None), refused('memfd_create', b'x', 0), refused('shmget', 0, 4096, 0o1600),
             refused('process_vm_readv', 1, None, 0, None, 0, 0), refused('sethostname', b'x', 1), refused('syscall', 435, None, 0)]
            """);

        Assert.Equal($"[{string.Join(", ", Enumerable.Repeat("'EPERM'", 13))}, 'ENOSYS']", call.Result);
    }

    [Fact]
    public async Task Setuid_GainsNothing()
    {
        var call = await Server.RunAsync(
            "import subprocess, shutil\nmount = subprocess.run(['mount', '-t', 'tmpfs', 'x', '/sandbox'], capture_output=True)\n"
            + "user = subprocess.run(['unshare', '-U', 'true'], capture_output=True)\nmount.returncode != 0, user.returncode != 0");

        Assert.Equal("(True, True)", call.Result);
    }

    [Fact]
    public async Task OutsideTheSandbox_NothingRunsAsRoot()
    {
        var marker = HostProcesses.NewMarker();
        using var cancel = new CancellationTokenSource();
        var call = Server.RunAsync($"import subprocess; subprocess.run(['sleep', '{marker}'])", null, cancel.Token);
        await HostProcesses.WaitForAsync(marker);

        var status = File.ReadAllLines($"/proc/{HostProcesses.Find(marker)[0]}/status");

        Assert.DoesNotContain(status, line => line.StartsWith("Uid:\t0\t", StringComparison.Ordinal));
        Assert.Contains("CapEff:\t0000000000000000", status);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
    }

    [Fact]
    public async Task ForgedAnswers_OnEveryDescriptor_ReachNoOtherCall()
    {
        const string Forged = """{"status": "ok", "result": "forged", "error": "", "reason": null, "stdout": "forged", "stderr": "", "ended": false}""";
        var forge = $$"""
            import os
            def write():
                for number in range(256):
                    try: os.write(number, b'{{Forged}}\n' * 3)
                    except OSError: pass
            write()
            """;
        var calls = await Task.WhenAll(
            Server.RunAsync(forge, "forger"), Server.RunAsync("'mine'", "other"), Server.RunAsync(forge), Server.RunAsync("'mine'"));

        Assert.Equal(["mine", "mine"], new[] { calls[1], calls[3] }.Select(call => call.Result!.Trim('\'')));
        Assert.Equal(("ok", ""), (calls[1].Status, calls[1].Stdout));
        Assert.All([calls[0], calls[2]], call => Assert.Equal(("killed", "it closed or misused the connection with its runner"), (call.Status, call.Reason)));
        Assert.Contains(Forged, calls[0].Stdout, StringComparison.Ordinal); // what it prints is what it prints
        Assert.Equal("'mine'", (await Server.RunAsync("'mine'", "forger")).Result);
        Assert.Equal("'after'", (await Server.RunAsync("'after'", "other")).Result);
    }

    [Theory]
    [InlineData("b'\\n'")]
    [InlineData("b'no json\\n'")]
    [InlineData("b'{}\\n'")]
    [InlineData("b'[' * 100000 + b'\\n'")]
    [InlineData("b'{\"status\": \"timeout\", \"result\": 1, \"error\": []}\\n'")]
    [InlineData("b'x' * 10000000")]
    public async Task Garbage_OnTheRunnersSocket_EndsTheOwnSandboxOnly(string garbage)
    {
        await Server.RunAsync("x = 41", "bystander");

        var call = await Server.RunAsync(
            $"import os, stat, socket\nfor number in range(3, 256):\n    try: found = stat.S_ISSOCK(os.fstat(number).st_mode)\n"
            + $"    except OSError: continue\n    if found: socket.socket(fileno=number).sendall({garbage})\nwhile True: pass");

        Assert.Equal(("killed", "it closed or misused the connection with its runner"), (call.Status, call.Reason));
        Assert.Equal("41", (await Server.RunAsync("x", "bystander")).Result);
    }

    [Fact]
    public async Task RunnersSocket_IsClosed_CallEnds()
    {
        var call = await Server.RunAsync("import os; os.closerange(3, 256)");

        Assert.Equal("killed", call.Status);
    }

    private static string[] Read(PythonCall call) => call.Result!.Trim('[', ']').Split(", ");

    /// <summary>Code whose result is the list of what each statement raised.</summary>
    private static string Attempt(params string[] statements) =>
        "import os, resource, socket\nseen = []\n" + string.Concat(statements.Select(statement =>
            $"try:\n    {statement}\n    seen.append(None)\nexcept Exception as e: seen.append(type(e).__name__)\n")) + "seen";
}
