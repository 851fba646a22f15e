using System.Text;
using System.Text.Json;
using Gateway.Upstream;

namespace Gateway.Tests.Upstream;

public sealed class DemoTests
{
    private const string Tool = """
        "tools":[{"type":"function","function":{"name":"get_weather","parameters":{"type":"object","properties":{
          "city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]},"tags":{"type":"array","items":{"type":"string"}}}}}}]
        """;

    [Fact]
    public async Task Host_NothingConfigured_ServesTheDemoModelByBothWays()
    {
        await using var host = await UpstreamHost.StartAsync();

        Assert.Contains("\"id\":\"demo\"", await host.Client.GetStringAsync("/v1/models"), StringComparison.Ordinal);
        using var passed = await host.Client.PostAsync(
            "/v1/chat/completions", new StringContent("""{"model":"demo","messages":[{"role":"user","content":"hello there"}]}"""));
        Assert.Contains("\"content\":\"hello there\"", await passed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Stream_EchoesWordByWordWithUsage()
    {
        var chunks = await StreamAsync("""{"stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"system","content":"be kind"},{"role":"user","content":[{"type":"text","text":"one two three"}]}]}""");

        Assert.Equal(["one", " two", " three"], chunks.SelectMany(Choices).Select(c => c.GetProperty("delta")).Where(d => d.TryGetProperty("content", out _)).Select(d => d.GetProperty("content").GetString()));
        Assert.Equal("stop", chunks.SelectMany(Choices).Last().GetProperty("finish_reason").GetString());
        var usage = chunks[^1].GetProperty("usage");
        Assert.Equal((5, 3, 8), (usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32(), usage.GetProperty("total_tokens").GetInt32()));
    }

    [Theory]
    [InlineData("\"tool_choice\":\"required\"", "how are you")]
    [InlineData("\"tool_choice\":{\"type\":\"function\",\"function\":{\"name\":\"get_weather\"}}", "how are you")]
    [InlineData("\"tool_choice\":\"auto\"", "please call get_weather now")]
    public async Task Tool_ForcedOrAskedFor_IsCalledWithArgumentsOfItsShape(string choice, string text)
    {
        var request = $$"""{ {{Tool}},{{choice}},"messages":[{"role":"user","content":"{{text}}"}]""";

        var whole = await JsonAsync(request + "}");
        var chunks = await StreamAsync(request + ",\"stream\":true}");

        var call = whole.GetProperty("choices")[0].GetProperty("message").GetProperty("tool_calls")[0].GetProperty("function");
        Assert.Equal("get_weather", call.GetProperty("name").GetString());
        Assert.Equal($$"""{"city":"{{text}}","days":1,"unit":"C","tags":["{{text}}"]}""", call.GetProperty("arguments").GetString());
        Assert.Equal("tool_calls", whole.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        var pieces = chunks.SelectMany(Choices).Select(c => c.GetProperty("delta")).Where(d => d.TryGetProperty("tool_calls", out _)).Select(d => d.GetProperty("tool_calls")[0].GetProperty("function").GetProperty("arguments").GetString());
        Assert.Equal(call.GetProperty("arguments").GetString(), string.Concat(pieces));
    }

    [Fact]
    public async Task ToolResult_IsAnswered()
    {
        var whole = await JsonAsync($$"""{ {{Tool}},"messages":[{"role":"user","content":"call get_weather"},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","tool_call_id":"x","content":"sunny"}]}""");

        Assert.Equal("The tool answered: sunny", whole.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task NoTool_WhenChoiceIsNone()
    {
        var whole = await JsonAsync($$"""{ {{Tool}},"tool_choice":"none","messages":[{"role":"user","content":"call get_weather"}]}""");

        Assert.Equal("call get_weather", whole.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task Limits_AndFormats_AreKept()
    {
        var cut = await JsonAsync("""{"max_tokens":2,"messages":[{"role":"user","content":"a b c"}]}""");
        var shaped = await JsonAsync("""{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"ok":{"type":"boolean"}}}}},"messages":[]}""");

        Assert.Equal("a b", cut.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("length", cut.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("""{"ok":true}""", shaped.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("""{"messages":"x"}""")]
    [InlineData("""{"messages":[1]}""")]
    [InlineData("""{"messages":[{"role":1}]}""")]
    public async Task BadRequest_IsRefusedOrAnsweredButNeverBreaks(string body)
    {
        await using var host = await UpstreamHost.StartAsync();

        await using var reply = await SendAsync(host, body, stream: false);

        Assert.True(reply.Failure == UpstreamFailure.None || reply.Error!.Status == 400);
    }

    private static IEnumerable<JsonElement> Choices(JsonElement chunk) => chunk.GetProperty("choices").EnumerateArray();

    private static async Task<JsonElement> JsonAsync(string body)
    {
        await using var host = await UpstreamHost.StartAsync();
        await using var reply = await SendAsync(host, body, stream: false);
        Assert.Equal(UpstreamFailure.None, reply.Failure);
        return (await JsonDocument.ParseAsync(reply.Body)).RootElement;
    }

    private static async Task<List<JsonElement>> StreamAsync(string body)
    {
        await using var host = await UpstreamHost.StartAsync();
        await using var reply = await SendAsync(host, body, stream: true);
        Assert.True(reply.IsEventStream);
        var events = (await new StreamReader(reply.Body).ReadToEndAsync()).Split("\n\n", StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal("data: [DONE]", events[^1]);
        return [.. events[..^1].Select(e => JsonDocument.Parse(e["data: ".Length..]).RootElement)];
    }

    private static async Task<ChatReply> SendAsync(UpstreamHost host, string body, bool stream) => await host.Chat.SendAsync(
        ChatCall.To((await host.Routes.FindAsync("demo", default))!.First, Encoding.UTF8.GetBytes(body), stream), default);
}
