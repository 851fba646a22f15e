using System.Globalization;
using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>Conversations in Redis (docs/design/store.md): each change is one script, a load is two round trips.</summary>
internal sealed class RedisConversationStore(RedisConnection connection, StoreWatch watch, StoreOptions options, TimeProvider time) : IConversationStore
{
    // As for responses: a client may use what it was told of the moment it was told, when no replica of the server has it yet.
    private const CommandFlags Primary = CommandFlags.DemandMaster;

    /// <summary>How many turns of a deleted conversation are removed by one command.</summary>
    private const int DeletedAtOnce = 256;

    /// <summary>How often an edit begins again because somebody else edited the same turn. Each time somebody else got on.</summary>
    private const int MostEdits = 32;

    public async ValueTask CreateConversationAsync(ConversationStart start, CancellationToken cancellationToken)
    {
        var element = start.Items?.Encode() ?? [];
        await watch.WriteAsync(
            "conversation_create",
            ct => connection.AcknowledgedAsync(
                RunAsync(
                    RedisScripts.ConversationCreate,
                    KeysOf(start.Tenant, start.Id),
                    [
                        start.Id.Self, start.CreatedAt.ToUnixTimeMilliseconds(), start.Metadata, Milliseconds(start.Retention), element,
                        start.Items?.Turn.Self ?? string.Empty,
                    ],
                    ct),
                () => [LogOf(start.Tenant, start.Id)],
                ct),
            cancellationToken).ConfigureAwait(false);
    }

    public ValueTask<StoredConversation?> GetConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken) =>
        watch.ReadAsync<StoredConversation?>(
            "conversation_get",
            async ct =>
            {
                var db = await connection.GetDatabaseAsync(ct).ConfigureAwait(false);
                var fields = await db.HashGetAsync(RedisKeys.Conversation(tenant, id.Chain), ["self", "deleted", "v", "created", "metadata"], Primary)
                    .WaitAsync(ct).ConfigureAwait(false);
                return IsFound(id, fields) ? new StoredConversation(id, Created(fields[3]), fields[4]) : null;
            },
            cancellationToken);

    public ValueTask<StoredConversation?> SetMetadataAsync(
        string tenant, ConversationId id, ReadOnlyMemory<byte> metadata, TimeSpan retention, CancellationToken cancellationToken) =>
        watch.WriteAsync<StoredConversation?>(
            "conversation_set",
            async ct =>
            {
                var created = (RedisValue)await connection.AcknowledgedAsync(
                    RunAsync(RedisScripts.ConversationSet, KeysOf(tenant, id), [id.Self, metadata, Milliseconds(retention)], ct),
                    () => [LogOf(tenant, id)],
                    ct).ConfigureAwait(false);
                return created.IsNull ? null : created == RedisValue.EmptyString ? throw Newer() : new StoredConversation(id, Created(created), metadata);
            },
            cancellationToken);

    public ValueTask<bool> DeleteConversationAsync(string tenant, ConversationId id, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();

        // Not given up once it has begun: who left does not know that it is to be called again, and nobody else finds what would be left.
        return watch.WriteAsync(
            "conversation_delete", ct => connection.AcknowledgedAsync(EraseAsync(tenant, id, ct), () => [LogOf(tenant, id)], ct), CancellationToken.None);
    }

    public ValueTask<ConversationAccess> AddItemsAsync(
        string tenant, ConversationId id, ConversationItems items, long mostBytes, TimeSpan retention, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "conversation_add",
            async ct => AccessOf((long)await connection.AcknowledgedAsync(
                RunAsync(
                    RedisScripts.ConversationAdd,
                    KeysOf(tenant, id),
                    [id.Self, items.Encode(), items.Turn.Self, mostBytes, Milliseconds(retention)],
                    ct),
                () => [LogOf(tenant, id)],
                ct).ConfigureAwait(false)),
            cancellationToken);

    public ValueTask<ItemPage?> ListItemsAsync(string tenant, ConversationId id, ItemQuery query, CancellationToken cancellationToken) =>
        watch.ReadAsync("conversation_items", ct => PageAsync(tenant, id, query, ct), cancellationToken);

    public ValueTask<Turn?> FindTurnAsync(string tenant, ConversationId id, ResponseId turn, CancellationToken cancellationToken) =>
        watch.ReadAsync<Turn?>(
            "conversation_turn",
            async ct =>
            {
                var db = await connection.GetDatabaseAsync(ct).ConfigureAwait(false);
                return await ReadElementAsync(db, tenant, id, turn, ct).ConfigureAwait(false) is { } found ? TurnCodec.Decode(found.Element) : null;
            },
            cancellationToken);

    public ValueTask<Turn?> FindTurnAsync(string tenant, ResponseId turn, CancellationToken cancellationToken) =>
        watch.ReadAsync("turn", ct => ReadTurnAsync(tenant, turn, ct), cancellationToken);

    public ValueTask<bool> EditTurnAsync(
        string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "conversation_edit",
            ct => connection.AcknowledgedAsync(ReplaceAsync(tenant, id, turn, edit, ct), () => [LogOf(tenant, id)], ct),
            cancellationToken);

    public ValueTask<OpenedConversation> OpenAsync(ConversationOpening opening, CancellationToken cancellationToken) =>
        watch.WriteAsync("conversation_open", ct => LoadAsync(opening, ct), cancellationToken);

    public ValueTask<ConversationAccess> RenewAsync(string tenant, ConversationLock hold, TimeSpan lease, CancellationToken cancellationToken) =>
        watch.WriteAsync(
            "conversation_renew",
            async ct => AccessOf((long)await RunAsync(
                RedisScripts.ConversationRenew,
                [RedisKeys.Conversation(tenant, hold.Id.Chain)],
                [hold.Id.Self, hold.Token, Milliseconds(lease), hold.IsRuns ? 1 : 0],
                ct).ConfigureAwait(false)),
            cancellationToken);

    public async ValueTask ReleaseAsync(string tenant, ConversationLock hold, CancellationToken cancellationToken) =>
        await watch.WriteAsync(
            "conversation_release",
            ct => RunAsync(RedisScripts.ConversationRelease, [RedisKeys.Conversation(tenant, hold.Id.Chain)], [hold.Token], ct),
            cancellationToken).ConfigureAwait(false);

    public ValueTask<bool> KeepClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
        watch.WriteAsync("conversation_claim", ct => NoteClaimAsync(tenant, chain, name, owner, isTaken: true, ct), cancellationToken);

    public async ValueTask DropClaimAsync(string tenant, string chain, string name, string owner, CancellationToken cancellationToken) =>
        await watch.WriteAsync("conversation_claim", ct => NoteClaimAsync(tenant, chain, name, owner, isTaken: false, ct), cancellationToken)
            .ConfigureAwait(false);

    private static RedisKey[] KeysOf(string tenant, ConversationId id) =>
        [RedisKeys.Conversation(tenant, id.Chain), RedisKeys.Places(tenant, id.Chain), LogOf(tenant, id)];

    private static RedisKey LogOf(string tenant, ConversationId id) => RedisKeys.Log(tenant, id.Chain, CommitPlan.ConversationBranch);

    private static long Milliseconds(TimeSpan time) => (long)time.TotalMilliseconds;

    private static DateTimeOffset Created(RedisValue milliseconds) =>
        DateTimeOffset.FromUnixTimeMilliseconds(long.Parse((string)milliseconds!, CultureInfo.InvariantCulture));

    /// <summary>The first fields are <c>self</c>, <c>deleted</c> and <c>v</c>.</summary>
    /// <exception cref="NewerFormatException">It has a version, which only those have that this version can not read.</exception>
    private static bool IsFound(ConversationId id, RedisValue[] fields) =>
        fields[0] == id.Self && fields[1].IsNull && (fields[2].IsNull ? true : throw Newer());

    private static NewerFormatException Newer() => new("A stored conversation");

    private static ConversationAccess AccessOf(long outcome) => outcome switch
    {
        0 => ConversationAccess.Done,
        1 => ConversationAccess.NotFound,
        2 => ConversationAccess.Locked,
        3 => ConversationAccess.TooLarge,
        4 => throw Newer(),
        _ => throw new InvalidDataException($"A script of conversations answered {outcome}."),
    };

    /// <summary>Every script of conversations may be sent again: what was done already is not done twice.</summary>
    private async ValueTask<RedisResult> RunAsync(string script, RedisKey[] keys, RedisValue[] arguments, CancellationToken cancellationToken)
    {
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        return await RedisRetry.TwiceAsync(() => db.ScriptEvaluateAsync(script, keys, arguments), options.CommandTimeout, time, cancellationToken)
            .ConfigureAwait(false);
    }

    private async ValueTask<bool> NoteClaimAsync(
        string tenant, string chain, string name, string owner, bool isTaken, CancellationToken cancellationToken) =>
        (long)await RunAsync(
            RedisScripts.ConversationClaim,
            [RedisKeys.Conversation(tenant, chain)],
            ["claim:" + ClaimName.Of(name), owner, isTaken ? 1 : 0],
            cancellationToken).ConfigureAwait(false) == 1;

    private async ValueTask<bool> EraseAsync(string tenant, ConversationId id, CancellationToken cancellationToken)
    {
        var keys = KeysOf(tenant, id);
        var reply = await RunAsync(RedisScripts.ConversationDelete, keys, [id.Self], cancellationToken).ConfigureAwait(false);
        if (reply.IsNull)
        {
            return false;
        }

        if (reply.Resp2Type == ResultType.BulkString)
        {
            throw Newer();
        }

        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        foreach (var turns in ((string[])reply!).Select(self => new ResponseId(id.Chain, self)).Chunk(DeletedAtOnce))
        {
            await RedisIndex.RemoveAsync(db, tenant, turns).WaitAsync(cancellationToken).ConfigureAwait(false);

            // The log of its own is that of a response that failed.
            RedisKey[] ofTurns =
            [
                .. turns.SelectMany(turn => (RedisKey[])
                    [RedisKeys.Record(tenant, turn), RedisKeys.Events(tenant, turn), RedisKeys.Log(tenant, id.Chain, turn.Self)]),
            ];
            await db.KeyDeleteAsync(ofTurns).WaitAsync(cancellationToken).ConfigureAwait(false);
        }

        await db.KeyDeleteAsync(keys).WaitAsync(cancellationToken).ConfigureAwait(false);
        return true;
    }

    private async ValueTask<OpenedConversation> LoadAsync(ConversationOpening opening, CancellationToken cancellationToken)
    {
        var reply = (RedisResult[])(await RunAsync(
            RedisScripts.ConversationOpen,
            [.. KeysOf(opening.Tenant, opening.Id), RedisKeys.Run(new RunKey(opening.Tenant, new ResponseId(opening.Id.Chain, opening.Token ?? string.Empty)))],
            [
                opening.Id.Self, opening.Token ?? string.Empty, Milliseconds(opening.Lease), opening.MostBytes, Milliseconds(opening.Retention),
                opening.IsRuns ? 1 : 0,
            ],
            cancellationToken).ConfigureAwait(false))!;
        var access = AccessOf((long)reply[0]);
        if (access != ConversationAccess.Done)
        {
            return OpenedConversation.Refused(access);
        }

        var length = (int)reply[1];
        var last = (string)reply[2]!;
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var elements = length == 0
            ? Task.FromResult<RedisValue[]>([])
            : db.ListRangeAsync(LogOf(opening.Tenant, opening.Id), 0, length - 1, Primary);
        var record = last.Length == 0
            ? Task.FromResult(RedisValue.Null)
            : db.StringGetAsync(RedisKeys.Record(opening.Tenant, new ResponseId(opening.Id.Chain, last)), Primary);
        await Task.WhenAll(elements, record).WaitAsync(cancellationToken).ConfigureAwait(false);
        var found = await elements.ConfigureAwait(false);
        if (found.Length < length)
        {
            // Deleted since.
            return OpenedConversation.Refused(ConversationAccess.NotFound);
        }

        var lastRecord = await record.ConfigureAwait(false);
        return new OpenedConversation(
            access,
            length,
            [.. found.Select(element => TurnCodec.Decode(element)).OfType<Turn>()],
            lastRecord.IsNull ? default : RecordCodec.Decode(new ResponseId(opening.Id.Chain, last), lastRecord).Envelope);
    }

    private async ValueTask<ItemPage?> PageAsync(string tenant, ConversationId id, ItemQuery query, CancellationToken cancellationToken)
    {
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        var fields = db.HashGetAsync(RedisKeys.Conversation(tenant, id.Chain), ["self", "deleted", "v"], Primary);
        var length = db.ListLengthAsync(LogOf(tenant, id), Primary);
        var place = query.After is { } after && after.Turn.Chain == id.Chain
            ? db.HashGetAsync(RedisKeys.Places(tenant, id.Chain), after.Turn.Self, Primary)
            : Task.FromResult(RedisValue.Null);
        await Task.WhenAll(fields, length, place).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!IsFound(id, await fields.ConfigureAwait(false)))
        {
            return null;
        }

        var end = await length.ConfigureAwait(false);
        var cursor = await place.ConfigureAwait(false);
        if (query.After is not null && (cursor.IsNull || (long)cursor < 0))
        {
            return new ItemPage([], HasMore: false, Cursor: null);
        }

        var page = new ItemPageBuilder(query, cursor.IsNull ? null : (long)cursor);
        var next = cursor.IsNull ? (query.Ascending ? 0 : end - 1) : (long)cursor;
        while (!page.HasMore && next >= 0 && next < end)
        {
            // Upwards from the next turn, or downwards to it.
            var first = query.Ascending ? next : Math.Max(0, next - ItemPageBuilder.TurnsAtOnce + 1);
            var last = query.Ascending ? Math.Min(end, next + ItemPageBuilder.TurnsAtOnce) - 1 : next;
            var elements = await db.ListRangeAsync(LogOf(tenant, id), first, last, Primary).WaitAsync(cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < elements.Length && !page.HasMore; i++)
            {
                var at = query.Ascending ? i : elements.Length - 1 - i;
                page.Add(first + at, TurnCodec.Decode(elements[at]));
            }

            next = query.Ascending ? last + 1 : first - 1;
        }

        return page.Build();
    }

    /// <summary>The element of a turn, and its place. Null when it is not in the conversation, or was deleted.</summary>
    private static async ValueTask<(long Place, RedisValue Element)?> ReadElementAsync(
        IDatabase db, string tenant, ConversationId id, ResponseId turn, CancellationToken cancellationToken)
    {
        if (turn.Chain != id.Chain)
        {
            return null;
        }

        var fields = db.HashGetAsync(RedisKeys.Conversation(tenant, id.Chain), ["self", "deleted", "v"], Primary);
        var place = db.HashGetAsync(RedisKeys.Places(tenant, id.Chain), turn.Self, Primary);
        await Task.WhenAll(fields, place).WaitAsync(cancellationToken).ConfigureAwait(false);
        if (!IsFound(id, await fields.ConfigureAwait(false)) || await place.ConfigureAwait(false) is not { IsNull: false } found || (long)found < 0)
        {
            return null;
        }

        var element = await db.ListGetByIndexAsync(LogOf(tenant, id), (long)found, Primary).WaitAsync(cancellationToken).ConfigureAwait(false);
        return element.IsNull ? null : ((long)found, element);
    }

    private async ValueTask<Turn?> ReadTurnAsync(string tenant, ResponseId turn, CancellationToken cancellationToken)
    {
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);

        // The place outlives the record of a response in a conversation that is still in use.
        var recordReply = db.StringGetAsync(RedisKeys.Record(tenant, turn), Primary);
        var placeReply = db.HashGetAsync(RedisKeys.Places(tenant, turn.Chain), turn.Self, Primary);
        await Task.WhenAll(recordReply, placeReply).WaitAsync(cancellationToken).ConfigureAwait(false);
        var record = await recordReply.ConfigureAwait(false);
        var place = await placeReply.ConfigureAwait(false);
        var (branch, index) = (CommitPlan.ConversationBranch, place.IsNull ? -1 : (long)place);
        if (index < 0)
        {
            if (record.IsNull)
            {
                return null;
            }

            var own = RecordCodec.Decode(turn, record).Path[^1];
            (branch, index) = (own.Branch, own.Count - 1);
        }

        var element = await db.ListGetByIndexAsync(RedisKeys.Log(tenant, turn.Chain, branch), index, Primary)
            .WaitAsync(cancellationToken).ConfigureAwait(false);
        return element.IsNull ? null : TurnCodec.Decode(element);
    }

    private async ValueTask<bool> ReplaceAsync(
        string tenant, ConversationId id, ResponseId turn, Func<Turn, Turn?> edit, CancellationToken cancellationToken)
    {
        var db = await connection.GetDatabaseAsync(cancellationToken).ConfigureAwait(false);
        for (var tries = 0; tries < MostEdits; tries++)
        {
            if (await ReadElementAsync(db, tenant, id, turn, cancellationToken).ConfigureAwait(false) is not { } found
                || TurnCodec.Decode(found.Element) is not { } read || edit(read) is not { } edited)
            {
                return false;
            }

            var reply = await db.ScriptEvaluateAsync(
                RedisScripts.ConversationEdit,
                [RedisKeys.Conversation(tenant, id.Chain), LogOf(tenant, id), RedisKeys.Events(tenant, turn)],
                [found.Place, found.Element, TurnCodec.Encode(edited)]).WaitAsync(cancellationToken).ConfigureAwait(false);
            if ((long)reply == 1)
            {
                return true;
            }
        }

        throw new TimeoutException("A turn is changed by too many at once.");
    }
}
