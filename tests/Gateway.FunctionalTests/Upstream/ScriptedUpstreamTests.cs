using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Gateway.Testing.Scripting;

namespace Gateway.FunctionalTests.Upstream;

/// <summary>The scripted upstream itself: what it promises to the other tests.</summary>
public sealed class ScriptedUpstreamTests
{
    public static TheoryData<string> EveryCase => [.. Misbehaviours.All.Select(c => c.ToString())];

    [Fact]
    public void Misbehaviours_EveryNumber_HasACase() =>
        Assert.Equal(Enumerable.Range(1, 50), Misbehaviours.All.Select(c => (int)c.Kind).Distinct().Order());

    [Theory]
    [MemberData(nameof(EveryCase))]
    public void Case_MadeTwice_GivesTheSameBytes(string name)
    {
        var script = Misbehaviours.Named(name).Script;

        Assert.Equal(script.Body, Misbehaviours.Named(name).Script.Body);
        Assert.Equal(script.Body, script.Split(1).Body);
    }

    [Fact]
    public async Task Post_QueuedThenDefault_AnswersInOrderAndRecords()
    {
        await using var upstream = await ScriptedUpstream.StartAsync();
        upstream.Enqueue(ChatAnswer.Say("queued \"one\""));
        using var client = new HttpClient();

        var first = await client.PostAsJsonAsync(Url(upstream), new { model = "m", messages = Array.Empty<object>() });
        var second = await client.PostAsJsonAsync(Url(upstream), new { model = "m", stream = true });

        var json = JsonNode.Parse(await first.Content.ReadAsStringAsync())!;
        Assert.Equal("queued \"one\"", json["choices"]![0]!["message"]!["content"]!.GetValue<string>());
        Assert.Contains("\"content\":\"Hello\"", await second.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal([false, true], upstream.Calls.Select(call => call.Stream));
    }

    [Fact]
    public async Task Post_ClientLeavesInAHold_ClientLeftIsDone()
    {
        await using var upstream = await ScriptedUpstream.StartAsync();
        upstream.Enqueue(Misbehaviours.Of(Misbehaviour.HangMidStream).Single().CreateReaction());
        using var client = new HttpClient();
        using (var request = new HttpRequestMessage(HttpMethod.Post, Url(upstream)) { Content = new StringContent("{\"stream\":true}") })
        using (await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead))
        {
            Assert.False((await upstream.NextCallAsync(TestContext.Current.CancellationToken)).ClientLeft.IsCompleted);
        }

        await upstream.LastCall.ClientLeft.WaitAsync(TimeSpan.FromSeconds(5));
    }

    [Fact]
    public async Task Post_Reset_BreaksTheConnection()
    {
        await using var upstream = await ScriptedUpstream.StartAsync();
        upstream.Enqueue(ChatScript.ResetBeforeAnswer());
        using var client = new HttpClient();
        using var content = new StringContent("{}", Encoding.UTF8, "application/json");

        await Assert.ThrowsAsync<HttpRequestException>(() => client.PostAsync(Url(upstream), content));
    }

    private static Uri Url(ScriptedUpstream upstream) => new(upstream.Address + "/chat/completions");
}
