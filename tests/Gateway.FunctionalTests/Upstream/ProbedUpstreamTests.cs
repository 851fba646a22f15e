using System.Text.Json.Nodes;
using Gateway.Testing;
using Gateway.Testing.Scripting;
using Gateway.Upstream;
using Gateway.Upstream.Probing;
using Microsoft.Extensions.DependencyInjection;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>The whole gateway before a server that it was told nothing about but the address.</summary>
public sealed class ProbedUpstreamTests(GatewayFixture fixture) : FunctionalTest(fixture), IClassFixture<GatewayFixture>
{
    private const string Weather = """{"type":"function","name":"get_weather","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}""";

    [Fact]
    public async Task LlamaCpp_StreamWithReasoningAndTools_IsSpokenToByWhatWasFoundOut()
    {
        var server = await UseServerAsync("llamacpp");
        server.Chat = request => request["messages"]!.AsArray().Any(m => (string?)m!["role"] == "tool") ? Answer() : Call();

        var call = await CreateStreamAsync($$"""
            {"model":"tiny","instructions":"Be kind.","tools":[{{Weather}},{"type":"function","name":"other"}],"tool_choice":{"type":"function","name":"get_weather"},
            "reasoning":{"effort":"low"},"stream":true,
            "input":[{"role":"user","content":"One"},{"role":"user","content":"Two"},{"role":"developer","content":"Be brief."},{"role":"user","content":"Weather?"}]}
            """);
        var answer = await CreateStreamAsync($$"""
            {"model":"tiny","previous_response_id":"{{call.Id}}","instructions":"Be kind.","tools":[{{Weather}}],"stream":true,
            "input":[{"type":"function_call_output","call_id":"{{call.Final.Each("output").Last().Text("call_id")}}","output":"sunny"}]}
            """);

        Assert.Equal(["reasoning", "function_call"], call.Final.Types("output"));
        Assert.Equal(("get_weather", """{"city":"Oslo"}"""), (call.Final.Text("output[1].name"), call.Final.Text("output[1].arguments")));
        Assert.Equal("It is sunny.", answer.Text);
        Assert.Equal(25, answer.Final.GetProperty("usage").GetProperty("input_tokens_details").GetProperty("cached_tokens").GetInt32());
        var first = server.Chats[0];
        // The row's: a choice by name is that tool alone. The template's: roles alternate, and there is one system message.
        Assert.Equal("get_weather", (string?)first["tools"]!.AsArray().Single()!["function"]!["name"]);
        Assert.Equal("required", (string?)first["tool_choice"]);
        Assert.Equal(["system", "user"], Roles(first));
        Assert.Equal("Be kind.\n\nBe brief.", (string?)first["messages"]![0]!["content"]);
        Assert.Equal("One\n\nTwo\n\nWeather?", (string?)first["messages"]![1]!["content"]);
        Assert.Equal("low", (string?)first["reasoning_effort"]);
        var second = server.Chats[1];
        Assert.Equal(["system", "user", "assistant", "tool"], Roles(second));
        Assert.Equal(("", "The user wants the weather."), ((string?)second["messages"]![2]!["content"], (string?)second["messages"]![2]!["reasoning_content"]));
    }

    [Fact]
    public async Task Tgi_WhatItLacks_IsMadeUpFor()
    {
        var server = await UseServerAsync("tgi");

        (await PostAsync("""
            {"model":"google/gemma-2-9b-it","instructions":"Be kind.","input":[{"role":"user","content":"Hi"},{"role":"user","content":"You"}],
            "text":{"format":{"type":"json_schema","name":"n","schema":{"type":"object"}}}}
            """)).AssertOk();

        var request = server.Chats.Single();
        Assert.Equal(["user"], Roles(request));
        Assert.Equal(
            "Be kind.\n\nAnswer with a JSON object that matches this JSON schema, and nothing else:\n{\"type\":\"object\"}\n\nHi\n\nYou",
            (string?)request["messages"]![0]!["content"]);
        Assert.Null(request["response_format"]);
    }

    [Fact]
    public async Task Vllm_LateSystemMessage_StaysInItsPlace()
    {
        var server = await UseServerAsync("vllm");

        (await PostAsync("""
            {"model":"Qwen/Qwen2.5-7B-Instruct","instructions":"Be kind.",
            "input":[{"role":"user","content":"Hi"},{"role":"developer","content":"Be brief."},{"role":"user","content":"You"}]}
            """)).AssertOk();

        Assert.Equal(["system", "user", "system", "user"], Roles(server.Chats.Single()));
    }

    private static IEnumerable<string?> Roles(JsonObject request) => request["messages"]!.AsArray().Select(message => (string?)message!["role"]);

    private async Task<Responses.ResponseStream> CreateStreamAsync(string json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/responses") { Content = new StringContent(json, System.Text.Encoding.UTF8, "application/json") };
        using var response = await Gateway.Client.SendAsync(request, Cancellation);
        return Responses.ResponseStream.Parse(await response.Content.ReadAsStringAsync(Cancellation));
    }

    /// <summary>A gateway in front of the recorded server, whose probe is over.</summary>
    private async Task<RecordedServer> UseServerAsync(string name)
    {
        var server = Own(await RecordedServer.StartAsync(name));
        await UseGatewayAsync(new TestGatewayOptions
        {
            Upstreams = new Dictionary<string, Uri> { [name] = new(server.Address) },
            Settings = new Dictionary<string, string> { ["Gateway:Probing:Enabled"] = "true" },
        });
        var upstream = Gateway.Services.GetRequiredService<UpstreamRegistry>().Find(name)!;
        using var polls = new PeriodicTimer(TimeSpan.FromMilliseconds(10));
        while (upstream.Probe.Status != ProbeStatus.Complete)
        {
            await polls.WaitForNextTickAsync(Cancellation);
        }

        return server;
    }

    private static ChatScript Call() => Stream(
        """{"role":"assistant","content":null}""",
        """{"reasoning_content":"The user wants"}""",
        """{"reasoning_content":" the weather."}""",
        """{"tool_calls":[{"index":0,"id":"Jw3gbqsWYx0Gv2hqF0Y8S6dUnhUoBz7d","type":"function","function":{"name":"get_weather","arguments":"{"}}]}""",
        """{"tool_calls":[{"index":0,"function":{"arguments":"\"city\":"}}]}""",
        """{"tool_calls":[{"index":0,"function":{"arguments":"\"Oslo\"}"}}]}""");

    private static ChatScript Answer() => Stream("""{"role":"assistant","content":null}""", """{"content":"It is"}""", """{"content":" sunny."}""");

    /// <summary>A stream in the shape of llama-server: usage in a chunk without choices, with its own timings.</summary>
    private static ChatScript Stream(params string[] deltas)
    {
        const string Head = "\"created\":1795762085,\"id\":\"chatcmpl-jLbE6SGL\",\"model\":\"tiny\",\"system_fingerprint\":\"b1-de3ff81\",\"object\":\"chat.completion.chunk\"";
        var reason = deltas.Any(delta => delta.Contains("tool_calls", StringComparison.Ordinal)) ? "tool_calls" : "stop";
        var chunks = deltas.Select(delta => $"{{\"choices\":[{{\"finish_reason\":null,\"index\":0,\"delta\":{delta}}}],{Head}}}")
            .Append($"{{\"choices\":[{{\"finish_reason\":\"{reason}\",\"index\":0,\"delta\":{{}}}}],{Head}}}")
            .Append($"{{\"choices\":[],{Head},\"usage\":{{\"completion_tokens\":9,\"prompt_tokens\":40,\"total_tokens\":49,\"prompt_tokens_details\":{{\"cached_tokens\":25}}}},\"timings\":{{\"cache_n\":25,\"prompt_n\":15}}}}")
            .Append("[DONE]");
        return ChatScript.Of(200, string.Concat(chunks.Select(chunk => $"data: {chunk}\n\n")), ChatScript.EventStream);
    }
}
