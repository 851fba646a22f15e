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
        await NodeScript.RunAsync("cases.mjs", cases: 23, [new Uri(Gateway.BaseAddress, "/v1").AbsoluteUri], output, Cancellation);
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
            ("hold", _) => new ChatStream().Role().Text(rest).Hold().ToScript(),
            ("think", _) => new ChatAnswer { Reasoning = "Hm.", Text = rest }.For(request),
            ("call", "once") => ChatAnswer.Call(oslo).For(request),
            ("call", "twice") => ChatAnswer.Call(oslo, rome).For(request),
            ("count", _) => ChatAnswer.Say($"{messages.Count} messages").For(request),
            ("break", _) => Misbehaviours.Of(Misbehaviour.EndsWithoutFinish).Single().Script,
            ("cut", _) => new ChatAnswer { Text = "Cut", FinishReason = "length" }.For(request),
            _ => ScriptedUpstream.Greeting(request),
        };
    }
}
