namespace Gateway.FunctionalTests.Runs;

/// <summary>What became of the responses of a replica that was killed (<see cref="KilledReplica"/>).</summary>
public sealed class KilledReplicaTests(KilledReplica killed) : IClassFixture<KilledReplica>
{
    private const string Unknown = "Whether it had an effect is unknown";

    [Theory]
    [InlineData("queued", "message")]
    [InlineData("text", "message", "message")]
    [InlineData("part", "reasoning", "message", "message")]
    [InlineData("reasoning", "reasoning", "message")]
    [InlineData("call", "message", "function_call", "function_call")]
    [InlineData("calls", "function_call", "function_call", "function_call")]
    [InlineData("mcp", "mcp_call", "message")]
    [InlineData("rounds", "mcp_call", "message", "message")]
    [InlineData("running", "mcp_call", "message")]
    [InlineData("repeatable", "mcp_call", "message")]
    [InlineData("second", "mcp_call", "mcp_call", "mcp_call", "message")]
    [InlineData("unlisted", "mcp_call", "message")]
    [InlineData("unmade", "mcp_call", "message")]
    [InlineData("unstarted", "mcp_call", "message")]
    [InlineData("unended", "mcp_call", "message")]
    [InlineData("uncommitted", "mcp_call", "message")]
    public void Response_IsCompletedByTheOther_AndToldOnceAndWhole(string phase, params string[] output)
    {
        var told = killed.Told[phase];

        Assert.Equal("completed", told.Final.Text("status"));
        Assert.Equal(["mcp_list_tools", .. output], told.Final.Types("output"));
        Assert.Equal(killed.Final[phase].At("output").GetRawText(), told.Final.At("output").GetRawText());
        Assert.Equal(WithoutComments(killed.Replayed[phase]), WithoutComments(killed.Bytes[phase]));
    }

    [Theory]
    [InlineData("queued", 1)]
    [InlineData("text", 2)]
    [InlineData("part", 2)]
    [InlineData("reasoning", 2)]
    [InlineData("call", 2)]
    [InlineData("calls", 2)]
    [InlineData("mcp", 3)]
    [InlineData("rounds", 3)]
    [InlineData("running", 2)]
    [InlineData("repeatable", 2)]
    [InlineData("second", 2)]
    [InlineData("plain", 2)]
    [InlineData("unlisted", 2)]
    [InlineData("unmade", 3)]
    [InlineData("unstarted", 2)]
    [InlineData("unended", 2)]
    [InlineData("uncommitted", 2)]
    public void Rounds_ThatWereMade_AreNotAskedForAgain(string phase, int rounds) => Assert.Equal(rounds, killed.Rounds[phase]);

    [Fact]
    public void Items_ThatWereHalfTold_AreIncompleteAndKeepTheirText()
    {
        Assert.Equal([("incomplete", "Hel"), ("completed", "Hello.")], Messages("text"));
        Assert.Equal([("incomplete", "Half a sen"), ("completed", "Done.")], Messages("part"));
        Assert.Equal([("incomplete", "And"), ("completed", "Done.")], Messages("rounds"));
        Assert.Equal(("incomplete", "{\"ci"), (killed.Final["call"].Text("output[2].status"), killed.Final["call"].Text("output[2].arguments")));
        Assert.Equal(("completed", """{"city":"Rome"}"""), (killed.Final["call"].Text("output[3].status"), killed.Final["call"].Text("output[3].arguments")));
    }

    [Fact]
    public void ItemsThatWereHalfTold_AreNotShownToTheModel()
    {
        Assert.All(
            (string[])["text", "part", "reasoning", "call"],
            phase => Assert.Equal(["user"], killed.Cluster.Asked(phase)[^1].Roles));
        Assert.Equal(["user", "assistant", "tool"], killed.Cluster.Asked("rounds")[^1].Roles);
    }

    [Fact]
    public void Calls_HadTheirEffectOnce()
    {
        Assert.Equal(1, killed.Cluster.Called("effect", "mcp"));
        Assert.Equal(1, killed.Cluster.Called("effect", "rounds"));
        Assert.Equal(1, killed.Cluster.Called("running", "running"));
        Assert.Equal(1, killed.Cluster.Called("second", "second"));
        Assert.Equal(2, killed.Cluster.Called("effect", "second"));
        Assert.All(
            (string[])["unlisted", "unmade", "unstarted", "unended", "uncommitted"],
            phase => Assert.Equal(1, killed.Cluster.Called("effect", phase)));
    }

    [Fact]
    public void Call_WithAnUnknownOutcome_IsToldToClientAndModelAsFailed()
    {
        Assert.Equal("failed", killed.Final["running"].Text("output[1].status"));
        Assert.Contains(Unknown, Assert.Single(Outputs("running")), StringComparison.Ordinal);
        Assert.Equal("failed", killed.Final["unended"].Text("output[1].status"));
        Assert.Contains(Unknown, Assert.Single(Outputs("unended")), StringComparison.Ordinal);
        var outputs = Outputs("second");
        Assert.Equal(["done", "done"], [outputs[0], outputs[2]]);
        Assert.Contains(Unknown, outputs[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Call_ThatMayBeRepeated_IsMadeAgain()
    {
        Assert.Equal(2, killed.Cluster.Called("repeatable", "repeatable"));
        Assert.Equal(["released"], Outputs("repeatable"));
    }

    /// <summary>A client can not know which of the calls it was told were made by a round that was given up: it may answer all that are whole.</summary>
    [Fact]
    public async Task Calls_OfARoundThatWasGivenUp_CanBeAnswered()
    {
        var calls = killed.Final["calls"].Each("output").Skip(1).ToList();
        Assert.Equal(["completed", "incomplete", "completed"], calls.Select(call => call.Text("status")));
        var outputs = calls.Where(call => call.Text("status") == "completed")
            .Select(call => $$"""{"type":"function_call_output","call_id":"{{call.Text("call_id")}}","output":"sun"}""");

        using var response = await killed.Other.Client.PostAsync(
            "/v1/responses",
            new StringContent(
                $$"""{"model":"{{GatewayFixture.Model}}","previous_response_id":"{{killed.Final["calls"].Text("id")}}","input":[{{string.Join(',', outputs)}}]}""",
                System.Text.Encoding.UTF8,
                "application/json"),
            TestContext.Current.CancellationToken);

        Assert.Equal("Done.", (await Reply.ReadAsync(response)).AssertOk().OutputText());
        var messages = killed.Cluster.Asked("calls")[^1].Messages;
        Assert.Equal(
            messages.Where(message => message!["tool_calls"] is not null).SelectMany(message => message!["tool_calls"]!.AsArray()).Select(call => (string?)call!["id"]),
            messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string?)message!["tool_call_id"]));
    }

    [Fact]
    public void Response_WithoutEvents_IsCompletedFromTheLastRound() =>
        Assert.Equal(("completed", "Hello."), (killed.Final["plain"].Text("status"), killed.Final["plain"].OutputText()));

    [Fact]
    public async Task Store_KeepsNothingOfTheRuns() => await killed.Cluster.AssertNoRunLeftAsync(TestContext.Current.CancellationToken);

    private IEnumerable<(string?, string?)> Messages(string phase) => killed.Final[phase].Each("output")
        .Where(item => item.Text("type") == "message")
        .Select(item => (item.Text("status"), item.Text("content[0].text")));

    /// <summary>What the model was told of the calls.</summary>
    private List<string> Outputs(string phase) =>
        [.. killed.Cluster.Asked(phase)[^1].Messages.Where(message => (string?)message!["role"] == "tool").Select(message => (string)message!["content"]!)];

    private static string WithoutComments(string body) =>
        string.Concat(body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(block => block[0] != ':').Select(block => block + "\n\n"));
}
