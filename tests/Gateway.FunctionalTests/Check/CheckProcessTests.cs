using System.Diagnostics;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Check;

/// <summary>The verb as a process of its own.</summary>
public sealed class CheckProcessTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Theory]
    [InlineData("INT")]
    [InlineData("TERM")]
    public async Task Signal_EndsItWithEverythingDeleted(string signal)
    {
        var hold = new ChatScript { Steps = [new HoldStep()] };
        Upstream.Enqueue(ChatAnswer.Say("Kept until the end of its case."));
        Upstream.Enqueue(hold);
        using var check = Start("--only", "chain,delete");
        await hold.Hold.Reached.WaitAsync(Cancellation);
        Assert.NotEmpty((await GetAsync("/v1/responses")).AssertOk().Each("data"));

        using (var kill = Process.Start("kill", [$"-{signal}", check.Id.ToString(System.Globalization.CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync(Cancellation);
        }

        var output = await check.StandardOutput.ReadToEndAsync(Cancellation);
        await check.WaitForExitAsync(Cancellation);
        Assert.Equal(130, check.ExitCode);
        Assert.Contains("0 pass, 0 limited, 0 fail, 2 skipped", output, StringComparison.Ordinal);
        Assert.Empty((await GetAsync("/v1/responses")).AssertOk().Each("data"));
    }

    [Fact]
    public async Task Verb_RunsTheCheck_AndNoGateway()
    {
        using var check = Start("--only", "health,basic");

        var output = await check.StandardOutput.ReadToEndAsync(Cancellation);
        await check.WaitForExitAsync(Cancellation);

        Assert.Equal(0, check.ExitCode);
        Assert.Contains("2 pass, 0 limited, 0 fail, 0 skipped", output, StringComparison.Ordinal);
    }

    // Whoever runs the tests in the background may have them ignore an interrupt, and what they start as well.
    private Process Start(params string[] args) => Process.Start(new ProcessStartInfo(
        "env", ["--default-signal=INT,TERM", "dotnet", typeof(Hosting.GatewayApplication).Assembly.Location, "check", "--url", Gateway.BaseAddress.AbsoluteUri, .. args])
    {
        RedirectStandardOutput = true,
        RedirectStandardError = true,
    })!;
}
