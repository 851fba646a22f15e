using System.Text.Json;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>Misbehaviours 9, 39 to 47: servers that look at the request. The gateway's requests must pass them, with the profile made for them.</summary>
public sealed class StrictUpstreamTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object"}}""";

    [Fact]
    public async Task RefusesStreamOptions_IsLearnedAfterOneTry()
    {
        await UseOwnGatewayAsync();
        Upstream.Default = Misbehaviours.Of(Misbehaviour.RefusesStreamOptions).Single().CreateReaction();

        Assert.Equal(Misbehaviours.Text, (await StreamAsync("""{"input":"Hi"}""")).Text);
        Assert.Equal(Misbehaviours.Text, (await StreamAsync("""{"input":"Hi"}""")).Text);

        Assert.Equal([true, false, false], Upstream.Calls.Select(call => call.Body.ContainsKey("stream_options")));
    }

    [Theory]
    [InlineData(Misbehaviour.RejectsDeveloper, null, null)]
    [InlineData(Misbehaviour.RejectsSecondSystem, null, null)]
    [InlineData(Misbehaviour.RejectsSecondSystem, "system_merge", "leading")]
    [InlineData(Misbehaviour.RejectsConsecutiveUser, "alternate_roles", "true")]
    [InlineData(Misbehaviour.RejectsNullContent, "empty_assistant_content", "empty")]
    [InlineData(Misbehaviour.RejectsNullContent, "empty_assistant_content", "omit")]
    [InlineData(Misbehaviour.RejectsUnansweredCall, null, null)]
    [InlineData(Misbehaviour.RejectsEmptyTools, null, null)]
    [InlineData(Misbehaviour.NineCharacterIds, "tool_call_id", "short9")]
    [InlineData(Misbehaviour.RequiresReasoningBack, "reasoning_in", "reasoning_content")]
    public async Task StrictServer_TakesAWholeToolConversation(Misbehaviour kind, string? option, string? value)
    {
        await UseOwnGatewayAsync(option is null ? [] : [($"Gateway:Upstreams:main:ProfileOptions:{option}", value!)]);
        Upstream.Default = Misbehaviours.Of(kind).Single().CreateReaction();

        var call = await CreateAsync($$"""
            {"instructions":"Be kind.","tools":[{{Weather}}],
            "input":[{"role":"developer","content":"Be brief."},{"role":"user","content":"One"},{"role":"user","content":"Two"},{"role":"system","content":"Be calm."},{"role":"user","content":"Weather?"}]}
            """);
        var answer = await StreamAsync($$"""
            {"previous_response_id":"{{call.Text("id")}}","tools":[{{Weather}}],"instructions":"Be kind.",
            "input":[{"type":"function_call_output","call_id":"{{CallOf(call).Text("call_id")}}","output":"sunny"}]}
            """);
        var more = await CreateAsync($$"""{"previous_response_id":"{{answer.Id}}","input":[{"role":"user","content":"Thanks"},{"role":"user","content":"Bye"}],"tools":[],"parallel_tool_calls":true}""");

        Assert.Equal("completed", call.Text("status"));
        Assert.Equal(Misbehaviours.Text, answer.Text);
        Assert.Equal(Misbehaviours.Text, more.OutputText());
        Assert.Equal(3, Upstream.Calls.Count);
    }

    [Theory]
    [InlineData("object", "message")]
    [InlineData("filter", "function_call")]
    public async Task IgnoresNamedChoice_IsReachedByFiltering(string strategy, string expected)
    {
        await UseOwnGatewayAsync(("Gateway:Upstreams:main:ProfileOptions:named_tool_choice", strategy));
        Upstream.Default = Misbehaviours.Of(Misbehaviour.IgnoresNamedChoice).Single().CreateReaction();

        var response = await CreateAsync($$"""
            {"input":"Weather?","tools":[{"type":"function","name":"other"},{{Weather}}],"tool_choice":{"type":"function","name":"get_weather"} }
            """);

        Assert.Equal(expected, response.Text("output[0].type"));
        Assert.Equal("get_weather", response.Text("tool_choice.name"));
    }

    private static JsonElement CallOf(JsonElement response) => response.Each("output").Single(item => item.Text("type") == "function_call");
}
