using System.Diagnostics;
using System.Net;
using System.Text;
using Microsoft.Extensions.Options;

namespace PythonTool.Tests;

public sealed class ServerTests
{
    [Fact]
    public async Task Key_IsConfigured_OthersAreTurnedAway()
    {
        await using var server = await PythonToolServer.StartAsync("Key=the-key");
        Assert.Equal("2", (await server.RunAsync("1 + 1")).Result);
        using var http = new HttpClient();

        foreach (var authorization in (string?[])[null, "Bearer", "Bearer the-kez", "Bearer the-key2", "Basic the-key", "the-key"])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, server.Address + "/mcp") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
            using var answer = await http.SendAsync(request);

            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        }
    }

    [Fact]
    public async Task Health_NeedsNoKey()
    {
        await using var server = await PythonToolServer.StartAsync("Key=the-key");
        using var http = new HttpClient();

        Assert.Equal("ok", await http.GetStringAsync(new Uri(server.Address + "/health")));
    }

    [Fact]
    public async Task Browser_IsTurnedAway()
    {
        await using var server = await PythonToolServer.StartAsync();
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(HttpMethod.Post, server.Address + "/mcp") { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
        request.Headers.Add("Origin", "http://127.0.0.1");

        using var answer = await http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [Theory]
    [InlineData("Address=http://0.0.0.0:0", "PythonTool:Address is 'http://0.0.0.0:0', which others can reach, and there is no PythonTool:Key.")]
    [InlineData("Address=http://*:0", "PythonTool:Address is 'http://*:0'")]
    [InlineData("Address=http://[::]:0", "PythonTool:Address is 'http://[::]:0', which others can reach")]
    [InlineData("Address=http://example.com:0", "PythonTool:Address is 'http://example.com:0', which others can reach")]
    [InlineData("Address=https://127.0.0.1:0", "PythonTool:Address is 'https://127.0.0.1:0': it must be like")]
    [InlineData("Address=127.0.0.1:0", "PythonTool:Address is '127.0.0.1:0': it must be like")]
    [InlineData("Key=a b", "PythonTool:Key has white space")]
    [InlineData("Bubblewrap=/none/bwrap", "PythonTool:Bubblewrap is '/none/bwrap': there is no such file.")]
    [InlineData("Python=python3", "PythonTool:Python is 'python3': there is no such file.")]
    [InlineData("ReadOnlyPaths:0=/none", "PythonTool:ReadOnlyPaths:0 is '/none': there is no such file.")]
    [InlineData("User=root", "PythonTool:User is 'root'")]
    [InlineData("Sandboxes=0", "PythonTool:Sandboxes is 0: it must be from 1 to 1000.")]
    [InlineData("SessionIdle=00:00:00", "PythonTool:SessionIdle is 00:00:00: it must be from 00:00:01 to 1.00:00:00.")]
    [InlineData("CallTime=02:00:00", "PythonTool:CallTime is 02:00:00")]
    [InlineData("MemoryBytes=1", "PythonTool:MemoryBytes is 1: it must be from 67108864 to")]
    public async Task Option_IsNotValid_MessageNamesKeyAndValue(string setting, string message)
    {
        var failure = await Assert.ThrowsAsync<OptionsValidationException>(() => PythonToolServer.StartAsync(setting));

        Assert.StartsWith(message, failure.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("a b", failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Address_IsOpenToOthers_NeedsAKeyOrAWord()
    {
        await using (await PythonToolServer.StartAsync("Address=http://127.0.0.2:0"))
        await using (await PythonToolServer.StartAsync("Address=http://[::1]:0"))
        {
            Assert.True(new PythonToolOptionsValidator().Validate(null, new() { Address = "http://0.0.0.0:1", Key = "k" }).Succeeded);
            Assert.True(new PythonToolOptionsValidator().Validate(null, new() { Address = "http://0.0.0.0:1", AllowWithoutKey = true }).Succeeded);
        }
    }

    [Fact]
    public async Task ReadOnlyPath_IsThereAndReadOnly()
    {
        var folder = Directory.CreateTempSubdirectory("python-tool");
        try
        {
            File.SetUnixFileMode(folder.FullName, (UnixFileMode)Convert.ToInt32("755", 8));
            await File.WriteAllTextAsync(Path.Combine(folder.FullName, "module.py"), "answer = 42");
            await using var server = await PythonToolServer.StartAsync("ReadOnlyPaths:0=" + folder.FullName);

            var call = await server.RunAsync($"import sys; sys.path.append('{folder.FullName}')\nimport module, os\nmodule.answer, os.access('{folder.FullName}', os.W_OK)");

            Assert.Equal("(42, False)", call.Result);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData("Bubblewrap=/bin/false", "bubblewrap made no sandbox")]
    [InlineData("Python=/bin/false", "bubblewrap made no sandbox")]
    public async Task SelfCheck_NoSandbox_DoesNotServe(string setting, string message)
    {
        var failure = await Assert.ThrowsAsync<StartupException>(() => PythonToolServer.StartAsync(setting));

        Assert.StartsWith(message, failure.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task SelfCheck_WallsAreMissing_DoesNotServe()
    {
        // A bubblewrap that leaves the network and a folder of the host in.
        var folder = Directory.CreateTempSubdirectory("python-tool");
        try
        {
            File.SetUnixFileMode(folder.FullName, (UnixFileMode)Convert.ToInt32("755", 8));
            var weak = Path.Combine(folder.FullName, "bwrap");
            await File.WriteAllTextAsync(weak, "#!/bin/bash\nset -- \"${@/--unshare-all/--unshare-uts}\"\nexec /usr/bin/bwrap --unshare-pid --ro-bind /etc /etc \"$@\"\n");
            File.SetUnixFileMode(weak, (UnixFileMode)Convert.ToInt32("755", 8));

            var failure = await Assert.ThrowsAsync<StartupException>(() => PythonToolServer.StartAsync("Bubblewrap=" + weak));

            Assert.Contains("it reaches a network", failure.Message, StringComparison.Ordinal);
            Assert.Contains("it sees files of the host", failure.Message, StringComparison.Ordinal);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public async Task Process_CanNotStart_SaysWhyAndExitsWithOne()
    {
        using var process = Start("--PythonTool:Sandboxes=0", "--PythonTool:Address=http://127.0.0.1:0");

        Assert.Equal(
            "The Python tool can not start:\n  PythonTool:Sandboxes is 0: it must be from 1 to 1000.\n", await process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        Assert.Equal(1, process.ExitCode);
    }

    [Fact]
    public async Task Process_HasAMisspeltKey_SaysSoAndExitsWithOne()
    {
        using var process = Start("--PythonTool:Sandboxs=1", "--PythonTool:Address=http://127.0.0.1:0");

        Assert.Contains("Sandboxs", await process.StandardError.ReadToEndAsync(), StringComparison.Ordinal);
        await process.WaitForExitAsync();
        Assert.Equal(1, process.ExitCode);
    }

    [Fact]
    public async Task Process_IsKilled_TakesItsSandboxesWithIt()
    {
        using var process = Start("--PythonTool:Address=http://127.0.0.1:0");
        try
        {
            var serving = (await process.StandardOutput.ReadLineAsync())!;
            await using var client = await PythonClient.ConnectAsync(serving[serving.IndexOf("http://", StringComparison.Ordinal)..serving.IndexOf("/mcp", StringComparison.Ordinal)]);
            string[] markers = [HostProcesses.NewMarker(), HostProcesses.NewMarker()];
            await client.RunAsync($"import ctypes; ctypes.CDLL(None).prctl(15, b'{markers[0]}', 0, 0, 0)", "idle");
            var call = client.RunAsync($"import subprocess; subprocess.run(['sleep', '{markers[1]}'])");
            await HostProcesses.WaitForAsync(markers[1]);

            process.Kill();

            await Assert.ThrowsAnyAsync<Exception>(() => call);
            await HostProcesses.WaitForNoneAsync(markers[0]);
            await HostProcesses.WaitForNoneAsync(markers[1]);
        }
        finally
        {
            process.Kill();
            await process.WaitForExitAsync();
        }
    }

    private static Process Start(params string[] arguments) => Process.Start(new ProcessStartInfo("dotnet", [typeof(PythonToolOptions).Assembly.Location, .. arguments])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
