using System.Diagnostics;
using System.Globalization;
using System.Net;

namespace Gateway.Tests.Hosting;

/// <summary>The executable as its own process, in a working directory that is not its own.</summary>
public sealed class ExecutableTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("gateway-test");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public async Task Run_ElsewhereWithSettingsOfManySources_LaterWinsAndSigtermEndsIt()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "appsettings.json"), """{"Gateway":{"Tenants":{"from-cwd":{"Keys":["k"]}},"Policy":{"OpenStreams":1}}}""");
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "extra.json"), """{"Gateway":{"Tenants":{"from-extra":{"Keys":["x"]}},"Polcy":{"Store":"Never"}}}""");
        using var process = Start("--config", "extra.json");

        var address = await ReadUntilAsync(process, "  address    ");
        var tenants = await ReadUntilAsync(process, "  tenants    ");
        using var client = new HttpClient { BaseAddress = new Uri(address) };
        using var withoutKey = await client.GetAsync(new Uri("/v1/models", UriKind.Relative));
        using var ready = await client.GetAsync(new Uri("/health/ready", UriKind.Relative));
        await TerminateAsync(process);
        await process.WaitForExitAsync();

        Assert.Equal("from-cwd, from-extra", tenants);
        Assert.Equal(HttpStatusCode.Unauthorized, withoutKey.StatusCode);
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal(0, process.ExitCode);
    }

    [Theory]
    [InlineData("Gateway:Limits:JsonDepth is 1: it must be from 8 to 512.", "--Gateway:Limits:JsonDepth=1")]
    [InlineData("'many' at 'Gateway:Limits:OpenStreams'", "--Gateway:Limits:OpenStreams=many")]
    [InlineData("'Nevr' at 'Gateway:Policy:Store'", "--Gateway:Policy:Store=Nevr")]
    [InlineData("Gateway:Hosting:DrainTimeout is 02:00:00", "--Gateway:Hosting:DrainTimeout=02:00:00")]
    [InlineData("Gateway:Runs:Lease is 00:00:04, but must not be shorter than Gateway:Store:CommandTimeout, which is 00:00:05.", "--Gateway:Runs:Lease=00:00:04")]
    [InlineData("config is 'missing.json': there is no such file.", "--config=missing.json")]
    [InlineData("No API keys are configured", "--urls=http://0.0.0.0:0")]
    [InlineData("'chek' is no setting.", "chek")]
    [InlineData("'--help' is no setting.", "--help")]
    [InlineData("'-h' is no setting.", "-h")]
    [InlineData("Invalid url: '8080'", "--urls=8080")]
    [InlineData("No server certificate was specified", "--urls=https://127.0.0.1:0")]
    [InlineData("parameter", "--Kestrel:Endpoints:api:Protocols=Http1")]
    public async Task Run_WrongSettings_ExitsWith1AndSaysWhy(string reason, string argument)
    {
        using var process = Start(argument);

        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await output;
        await process.WaitForExitAsync();

        Assert.Equal(1, process.ExitCode);
        Assert.StartsWith("The gateway can not start:", error, StringComparison.Ordinal);
        Assert.Contains(reason, error, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_SettingsThatAreNoJson_SaysWhere()
    {
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "extra.json"), "{\n  \"Gateway\": secret }");
        using var process = Start("--config", "extra.json");

        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await output;
        await process.WaitForExitAsync();

        Assert.Equal(1, process.ExitCode);
        Assert.Contains("extra.json'. It is no JSON from line 2, byte 14 on.", error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error, StringComparison.Ordinal);
    }

    private static async Task<string> ReadUntilAsync(Process process, string start)
    {
        while (await process.StandardOutput.ReadLineAsync() is { } line)
        {
            if (line.StartsWith(start, StringComparison.Ordinal))
            {
                return line[start.Length..];
            }
        }

        throw new InvalidOperationException($"The gateway ended without printing '{start}': {await process.StandardError.ReadToEndAsync()}");
    }

    private Process Start(params string[] args)
    {
        // The arguments of a test come last: the last one wins.
        var start = new ProcessStartInfo("dotnet", [Path.Combine(AppContext.BaseDirectory, "gateway.dll"), "--urls=http://127.0.0.1:0", .. args])
        {
            WorkingDirectory = _directory.FullName,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        return Process.Start(start) ?? throw new InvalidOperationException("dotnet did not start.");
    }

    private static async Task TerminateAsync(Process process)
    {
        using var kill = Process.Start("kill", ["-TERM", process.Id.ToString(CultureInfo.InvariantCulture)]);
        await kill.WaitForExitAsync();
        Assert.Equal(0, kill.ExitCode);
    }
}
