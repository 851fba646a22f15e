using System.Text;
using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>Short ways to do in a conversation what the gateway does.</summary>
internal static class Talks
{
    public const long NoLimit = long.MaxValue;
    public static readonly TimeSpan Lease = TimeSpan.FromHours(1);
    private static readonly CancellationToken None = CancellationToken.None;

    public static async Task<ConversationId> StartTalkAsync(this StoreUnderTest test, params string[] texts)
    {
        var id = ConversationId.New();
        await test.Conversations.CreateConversationAsync(Start(test, id, texts), None);
        return id;
    }

    public static ConversationStart Start(StoreUnderTest test, ConversationId id, params string[] texts) => new()
    {
        Tenant = test.Tenant,
        Id = id,
        CreatedAt = test.Time.GetUtcNow(),
        Metadata = Bytes("""{"topic":"ž𝄞"}"""),
        Items = texts.Length == 0 ? null : Items(id, texts),
        Retention = Commits.Retention,
    };

    public static ConversationItems Items(ConversationId id, params string[] texts)
    {
        var turn = id.NewTurn();
        return new ConversationItems(turn, [.. texts.Select((text, n) => Item(turn.ItemId("msg", n), text))]);
    }

    public static ValueTask<ConversationAccess> AddAsync(this StoreUnderTest test, ConversationId id, params string[] texts) =>
        test.Conversations.AddItemsAsync(test.Tenant, id, Items(id, texts), NoLimit, Commits.Retention, None);

    public static ConversationOpening Opening(StoreUnderTest test, ConversationId id, string? token) => new()
    {
        Tenant = test.Tenant,
        Id = id,
        Token = token,
        Lease = Lease,
        MostBytes = NoLimit,
        Retention = Commits.Retention,
    };

    /// <summary>Opens the conversation; for a writer when there is a token.</summary>
    public static async Task<OpenedConversation> OpenTalkAsync(this StoreUnderTest test, ConversationId id, string? token = null) =>
        await test.Conversations.OpenAsync(Opening(test, id, token), None);

    /// <summary>The turn of a response with one input and one output item, by the writer that opened the conversation.</summary>
    public static TurnCommit Turn(this StoreUnderTest test, ConversationId id, string token, int length, string text, bool aside = false)
    {
        var turn = id.NewTurn();
        return Commits.Make(test.Tenant, turn, [new PathSegment(id.Chain, "c", length)], test.Time.GetUtcNow(), text) with
        {
            Conversation = new ConversationLock(id, token),
            Aside = aside,
            Status = aside ? "failed" : "completed",
            Turn = new Turn([Item(turn.ItemId("msg", 0), "Q " + text)], [Item(turn.ItemId("msg", 1), "A " + text)], Bytes("""{"n":1}""")),
        };
    }

    /// <summary>Opens, and commits one turn.</summary>
    public static async Task<TurnCommit> SayAsync(this StoreUnderTest test, ConversationId id, string text, bool aside = false)
    {
        var token = "writer of " + text;
        var opened = await test.OpenTalkAsync(id, token);
        Assert.Equal(ConversationAccess.Done, opened.Access);
        var commit = test.Turn(id, token, opened.Length, text, aside);
        Assert.Equal(aside ? CommitOutcome.Branched : CommitOutcome.Appended, await test.Store.CommitAsync(commit, None));
        return commit;
    }

    /// <summary>All items, by pages of <paramref name="limit"/>.</summary>
    public static async Task<List<string>> ReadItemsAsync(this StoreUnderTest test, ConversationId id, int limit = 100, bool ascending = true)
    {
        var all = new List<string>();
        (ResponseId, int)? after = null;
        ItemPage page;
        do
        {
            page = Assert.IsType<ItemPage>(await test.Conversations.ListItemsAsync(test.Tenant, id, new ItemQuery(limit, ascending, after), None));
            Assert.True(page.Items.Count == limit || !page.HasMore);
            all.AddRange(page.Items.Select(TextOf));
            after = page.Items.Count == 0 ? null : PlaceOf(page.Items[^1]);
        }
        while (page.HasMore);
        return all;
    }

    /// <summary>What the opened conversation holds.</summary>
    public static IEnumerable<string> Texts(this OpenedConversation opened) =>
        opened.Turns.SelectMany(turn => turn.Input.Concat(turn.Output)).Where(item => !item.IsEmpty).Select(TextOf);

    public static string TextOf(ReadOnlyMemory<byte> item) => System.Text.Json.JsonElement.Parse(item.Span).GetProperty("text").GetString()!;

    public static (ResponseId Turn, int Index) PlaceOf(ReadOnlyMemory<byte> item)
    {
        Assert.True(ResponseId.TryParseItem(System.Text.Json.JsonElement.Parse(item.Span).GetProperty("id").GetString(), out var turn, out var index));
        return (turn, index);
    }

    /// <summary>An edit that erases one item.</summary>
    public static Func<Turn, Turn?> Without(int index) => turn =>
    {
        if (index >= turn.Count || turn[index].IsEmpty)
        {
            return null;
        }

        ReadOnlyMemory<byte>[] all = [.. turn.Input, .. turn.Output];
        all[index] = default;
        return turn with { Input = all[..turn.Input.Count], Output = all[turn.Input.Count..] };
    };

    public static ReadOnlyMemory<byte> Bytes(string text) => Encoding.UTF8.GetBytes(text);

    private static ReadOnlyMemory<byte> Item(string id, string text) => Bytes($$"""{"id":"{{id}}","text":"{{text}}"}""");
}
