using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using StackExchange.Redis;

namespace Gateway.Load.Run;

/// <summary>
/// One response as the gateway has stored it, from which others are made: with ids and a time of their own, which have the same length. So nothing here
/// has to know the format (docs/design/store.md) but where the time stands in a record, and the names of keys.
/// </summary>
internal sealed class StoredTemplate
{
    private const int ChainLength = 16;
    private const string Alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
    private static readonly byte[] CreatedAt = "\"created_at\":"u8.ToArray();

    private readonly byte[] _record;
    private readonly byte[] _turn;
    private readonly byte[] _chain;
    private readonly byte[] _self;

    private StoredTemplate(string tenant, string chain, string self, byte[] record, byte[] turn)
    {
        (Tenant, _record, _turn) = (tenant, record, turn);
        (_chain, _self) = (Encoding.ASCII.GetBytes(chain), Encoding.ASCII.GetBytes(self));
    }

    public string Tenant { get; }

    public static async Task<StoredTemplate> ReadAsync(IConnectionMultiplexer redis, string id)
    {
        var chain = id["resp_".Length..][..ChainLength];
        var self = id[("resp_".Length + ChainLength)..];
        var key = redis.GetServers().Where(server => server is { IsConnected: true, IsReplica: false })
            .SelectMany(server => server.Keys(pattern: $"gw:*:r:{self}")).Select(found => found.ToString()).SingleOrDefault()
            ?? throw new LoadException("The response that was made is not in Redis.");
        var tenant = key["gw:{".Length..key.IndexOf('/', StringComparison.Ordinal)];
        var db = redis.GetDatabase();
        return new StoredTemplate(tenant, chain, self, (await db.StringGetAsync(key))!, (await db.ListGetByIndexAsync($"gw:{{{tenant}/{chain}}}:l:0", 0))!);
    }

    /// <summary>Sends what a response of this time needs, without waiting. Returns its id.</summary>
    public string Write(IDatabase db, long created, Random random, TimeSpan retention)
    {
        var (chain, self) = (Text(_chain.Length), Text(_self.Length));
        var record = Copy(_record);
        BinaryPrimitives.WriteInt64LittleEndian(record.AsSpan(1), created);
        var at = record.AsSpan().IndexOf(CreatedAt);
        _ = (created / 1_000).TryFormat(record.AsSpan(at + CreatedAt.Length), out _, default, CultureInfo.InvariantCulture);
        var id = $"resp_{chain}{self}";
        RedisKey log = $"gw:{{{Tenant}/{chain}}}:l:0";
        _ = db.StringSetAsync($"gw:{{{Tenant}/{chain}}}:r:{self}", record, retention, flags: CommandFlags.FireAndForget);
        _ = db.ListRightPushAsync(log, Copy(_turn), flags: CommandFlags.FireAndForget);
        _ = db.KeyExpireAsync(log, retention, CommandFlags.FireAndForget);
        return id;

        string Text(int length) => string.Create(length, random, static (span, from) =>
        {
            foreach (ref var c in span)
            {
                c = Alphabet[from.Next(Alphabet.Length)];
            }
        });

        byte[] Copy(byte[] from)
        {
            byte[] copy = [.. from];
            Replace(copy, _chain, chain);
            Replace(copy, _self, self);
            return copy;
        }
    }

    private static void Replace(byte[] within, byte[] old, string with)
    {
        for (var from = 0; within.AsSpan(from).IndexOf(old) is >= 0 and var at; from += at + old.Length)
        {
            Encoding.ASCII.GetBytes(with, within.AsSpan(from + at));
        }
    }
}
