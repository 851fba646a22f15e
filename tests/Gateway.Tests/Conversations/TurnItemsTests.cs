using System.Text;
using Gateway.Conversations;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;
using Gateway.Store;

namespace Gateway.Tests.Conversations;

/// <summary>Items of a turn: found by id and number, erased with all that is remembered of them.</summary>
public sealed class TurnItemsTests
{
    private static readonly ResponseId Id = ResponseId.NewChain();

    [Fact]
    public void Find_WantsNumberAndId()
    {
        var turn = Turn();

        Assert.Equal("call_a", TurnItems.Find(turn, 1, Id.ItemId("fc", 1))?.CallId);
        Assert.Null(TurnItems.Find(turn, 0, Id.ItemId("fc", 1)));
        Assert.Null(TurnItems.Find(turn, 1, Id.ItemId("msg", 1)));
        Assert.Null(TurnItems.Find(turn, 3, Id.ItemId("msg", 3)));
    }

    [Fact]
    public void Without_TakesTheItemAndLeavesTheNumbersOfTheOthers()
    {
        var left = TurnItems.Without(Turn(), 0, Id.ItemId("msg", 0))!;

        Assert.True(left[0].IsEmpty);
        Assert.Equal(Id.ItemId("fc", 1), TurnItems.Find(left, 1, Id.ItemId("fc", 1))?.Id);
        Assert.Equal(Id.ItemId("mcp", 2), TurnItems.Find(left, 2, Id.ItemId("mcp", 2))?.Id);
        Assert.Null(TurnItems.Without(left, 0, Id.ItemId("msg", 0)));
        Assert.Null(TurnItems.Without(left, 1, Id.ItemId("msg", 1)));
    }

    [Fact]
    public void Without_OfACall_ForgetsWhatIsRememberedOfIt()
    {
        var turn = Turn();

        var withoutClientCall = TurnNotes.Read([TurnItems.Without(turn, 1, Id.ItemId("fc", 1))!]);
        Assert.Empty(withoutClientCall.UpstreamIds);
        Assert.Equal([Id.ItemId("mcp", 2)], withoutClientCall.Hidden.Keys);
        Assert.Equal([Id.ItemId("mcp", 2)], withoutClientCall.RoundStarts);

        var withoutServerCall = TurnItems.Without(turn, 2, Id.ItemId("mcp", 2))!;
        Assert.DoesNotContain("secret", Encoding.UTF8.GetString(withoutServerCall.Private.Span), StringComparison.Ordinal);
        Assert.Equal(["call_a"], TurnNotes.Read([withoutServerCall]).UpstreamIds.Keys);
        Assert.True(TurnItems.Without(withoutServerCall, 1, Id.ItemId("fc", 1))!.Private.IsEmpty);
    }

    [Fact]
    public void Without_LeavesNotesOfANewerVersion()
    {
        var id = Id.ItemId("fc", 1);
        var turn = Turn() with { Private = Encoding.UTF8.GetBytes($$"""{"newer":["{{id}}",{"a":"b"}],"call_ids":{"call_a":"up","call_b":"other"},"lists":{"l":{"newer":true} } }""") };

        var left = TurnItems.Without(turn, 1, id)!.Private;

        Assert.Equal($$"""{"newer":["{{id}}",{"a":"b"}],"call_ids":{"call_b":"other"},"lists":{"l":{"newer":true} } }""".Replace(" ", "", StringComparison.Ordinal), Encoding.UTF8.GetString(left.Span));
    }

    [Fact]
    public void Named_ApprovalsOfOneTurn_StillAnswerTheirRequests()
    {
        var items = Items(
            """{"type":"mcp_approval_request","id":"mcpr_old","server_label":"s","name":"n","arguments":"{}"}""",
            """{"type":"mcp_approval_response","approval_request_id":"mcpr_old","approve":true}""",
            """{"type":"mcp_approval_response","approval_request_id":"mcpr_other","approve":true}""");

        var named = NamedItems.Of(Id, items);

        Assert.Equal([Id.ItemId("mcpr", 0), Id.ItemId("mcpa", 1), Id.ItemId("mcpa", 2)], named.Items.Select(item => item.Id));
        Assert.Equal((Id.ItemId("mcpr", 0), "mcpr_other"), (McpItems.ApprovalRequestIdOf(named.Items[1]), McpItems.ApprovalRequestIdOf(named.Items[2])));
        Assert.Equal("mcpr_old", Assert.Single(named.Approvals, pair => pair.Key == Id.ItemId("mcpr", 0)).Value);
    }

    [Fact]
    public void Named_ManyItems_AreEachWhole()
    {
        var items = Items([.. Enumerable.Range(0, 500).Select(n => $$"""{"id":"same","role":"user","content":"{{new string('x', n)}}"}""")]);

        var named = NamedItems.Of(Id, items).Items;

        Assert.Equal(Enumerable.Range(0, 500).Select(n => Id.ItemId("msg", n)), named.Select(item => item.Id));
        Assert.Equal(Enumerable.Range(0, 500), named.Select(item => System.Text.Json.JsonElement.Parse(item.Json.Span).GetProperty("content")[0].GetProperty("text").GetString()!.Length));
        Assert.Empty(NamedItems.Of(Id, []).Items);
    }

    private static Turn Turn()
    {
        var notes = new CallNotes();
        notes.Add("call_a", "upstream_a");
        notes.Add(Id.ItemId("mcp", 2), null, new HiddenCall("tool", "{}", "secret output"), startsRound: true);
        return new Turn(
            [Json($$"""{"id":"{{Id.ItemId("msg", 0)}}","type":"message","role":"user","content":[]}""")],
            [
                Json($$"""{"id":"{{Id.ItemId("fc", 1)}}","type":"function_call","call_id":"call_a","name":"f","arguments":"{}"}"""),
                Json($$"""{"id":"{{Id.ItemId("mcp", 2)}}","type":"mcp_call"}"""),
            ],
            TurnNotes.Write(notes));
    }

    private static List<Item> Items(params string[] items)
    {
        var parsed = new List<Item>();
        foreach (var json in items)
        {
            Assert.Null(ItemTable.TryParse(Json(json), "items[0]", out var item));
            parsed.Add(item);
        }

        return parsed;
    }

    private static ReadOnlyMemory<byte> Json(string text) => Encoding.UTF8.GetBytes(text);
}
