using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Sdk;

/// <summary>The openai npm package, run by node: js/cases.mjs against a gateway whose upstream does what the user asks for.</summary>
public sealed class JavaScriptSdkTests(GatewayFixture fixture, ITestOutputHelper output) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    [Fact]
    public async Task EveryCase_OfTheJavaScriptSdk_Passes()
    {
        await UseOwnGatewayAsync(("Gateway:Tenants:js:Keys:0", "key-js"));
        Upstream.Default = Obey;
        var start = new ProcessStartInfo("node", ["cases.mjs", new Uri(Gateway.BaseAddress, "/v1").AbsoluteUri])
        {
            WorkingDirectory = Path.Combine(SourceFolder(), "..", "js"),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        using var node = Process.Start(start)!;
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        limit.CancelAfter(TimeSpan.FromMinutes(2));
        string[] lines;
        string errors;
        try
        {
            var told = node.StandardOutput.ReadToEndAsync(limit.Token);
            var complained = node.StandardError.ReadToEndAsync(limit.Token);
            lines = (await told).Split('\n', StringSplitOptions.RemoveEmptyEntries);
            errors = await complained;
            await node.WaitForExitAsync(limit.Token);
        }
        finally
        {
            if (!node.HasExited)
            {
                node.Kill(entireProcessTree: true);
            }
        }

        foreach (var line in lines)
        {
            output.WriteLine(line);
        }

        Assert.True(node.ExitCode == 0, errors);
        Assert.All(lines, line => Assert.StartsWith("ok ", line, StringComparison.Ordinal));
        Assert.Equal(15, lines.Length);
    }

    private static ChatScript Obey(JsonObject request)
    {
        var messages = request["messages"]!.AsArray();
        var last = messages[^1]!;
        var content = last["content"]!.GetValue<string>();
        var oslo = new ChatToolCall("call_a", "get_weather", """{"city":"Oslo"}""");
        var rome = new ChatToolCall("call_b", "get_weather", """{"city":"Rome"}""");
        if (last["role"]!.GetValue<string>() == "tool")
        {
            return ChatAnswer.Say("The tool said " + content).For(request);
        }

        var (order, rest) = content.Split(' ', 2) is [var first, var second] ? (first, second) : (content, "");
        return (order, rest) switch
        {
            ("say", _) => ChatAnswer.Say(rest).For(request),
            ("think", _) => new ChatAnswer { Reasoning = "Hm.", Text = rest }.For(request),
            ("call", "once") => ChatAnswer.Call(oslo).For(request),
            ("call", "twice") => ChatAnswer.Call(oslo, rome).For(request),
            ("count", _) => ChatAnswer.Say($"{messages.Count} messages").For(request),
            ("break", _) => Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().Script,
            ("cut", _) => new ChatAnswer { Text = "Cut", FinishReason = "length" }.For(request),
            _ => ScriptedUpstream.Greeting(request),
        };
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
