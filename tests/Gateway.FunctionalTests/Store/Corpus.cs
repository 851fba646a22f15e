using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Microsoft.Data.Sqlite;
using StackExchange.Redis;

namespace Gateway.FunctionalTests.Store;

/// <summary>
/// What a version of the gateway has written, for every later one to read (tests/Recordings/README.md): the data of one store, and what a client was
/// answered about it.
/// </summary>
internal sealed record Corpus
{
    private const string DataOfRedis = "redis.json";
    private const string DataOfSqlite = "sqlite.db";

    private static readonly JsonSerializerOptions Json = new()
    {
        WriteIndented = true,
        IndentSize = 1,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingDefault,
    };

    private static readonly Encoding Strict = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>When it was recorded: what is kept for some time is read as if it were then.</summary>
    public required DateTimeOffset Recorded { get; init; }

    public required IReadOnlyList<CorpusExchange> Exchanges { get; init; }

    public static Corpus Read(string folder, string store) =>
        JsonSerializer.Deserialize<Corpus>(File.ReadAllText(Path.Combine(folder, store + ".exchanges.json")), Json)!;

    public void Write(string folder, string store) =>
        File.WriteAllText(Path.Combine(folder, store + ".exchanges.json"), JsonSerializer.Serialize(this, Json) + "\n");

    /// <summary>Saves what is in Redis: each key as its type and its values, text where it is text.</summary>
    public static async Task SaveRedisAsync(string endPoint, string folder)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(endPoint);
        var db = redis.GetDatabase();
        var keys = new JsonObject();
        await foreach (var key in redis.GetServer(endPoint).KeysAsync(pattern: "gw:*"))
        {
            var type = await db.KeyTypeAsync(key);
            keys[key.ToString()] = new JsonObject
            {
                [type.ToString()] = type switch
                {
                    RedisType.String => Encode(await db.StringGetAsync(key)),
                    RedisType.List => Encode(await db.ListRangeAsync(key)),
                    RedisType.Set => Encode(await db.SetMembersAsync(key)),
                    RedisType.Hash => new JsonObject((await db.HashGetAllAsync(key)).OrderBy(field => field.Name).Select(field => KeyValuePair.Create((string)field.Name!, (JsonNode?)Encode(field.Value)))),
                    RedisType.SortedSet => new JsonObject((await db.SortedSetRangeByRankWithScoresAsync(key)).Select(entry => KeyValuePair.Create((string)entry.Element!, (JsonNode?)JsonValue.Create(entry.Score)))),
                    _ => throw new NotSupportedException($"{key} is a {type}."),
                },
            };
        }

        var sorted = new JsonObject(keys.OrderBy(pair => pair.Key, StringComparer.Ordinal).Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())));
        await File.WriteAllTextAsync(Path.Combine(folder, DataOfRedis), sorted.ToJsonString(Json) + "\n");
    }

    /// <summary>Puts it into an empty Redis. Every key expires, long after the test.</summary>
    public static async Task LoadRedisAsync(string folder, string endPoint)
    {
        await using var redis = await ConnectionMultiplexer.ConnectAsync(endPoint);
        var db = redis.GetDatabase();
        foreach (var (key, stored) in ReadRedis(folder))
        {
            var (type, value) = stored!.AsObject().Single();
            await (type switch
            {
                nameof(RedisType.String) => (Task)db.StringSetAsync(key, Decode(value)),
                nameof(RedisType.List) => db.ListRightPushAsync(key, value!.AsArray().Select(Decode).ToArray()),
                nameof(RedisType.Set) => db.SetAddAsync(key, value!.AsArray().Select(Decode).ToArray()),
                nameof(RedisType.Hash) => db.HashSetAsync(key, value!.AsObject().Select(field => new HashEntry(field.Key, Decode(field.Value))).ToArray()),
                _ => db.SortedSetAddAsync(key, value!.AsObject().Select(entry => new SortedSetEntry(entry.Key, entry.Value!.GetValue<double>())).ToArray()),
            });
            await db.KeyExpireAsync(key, TimeSpan.FromDays(30));
        }
    }

    /// <summary>Saves what is in SQLite: a file like the gateway's own, in one piece.</summary>
    public static void SaveSqlite(string database, string folder)
    {
        var file = Path.Combine(folder, DataOfSqlite);
        File.Delete(file);
        using var source = Open(database);
        using var copy = Open(file);
        source.BackupDatabase(copy);
        using var compact = copy.CreateCommand();
        compact.CommandText = "PRAGMA journal_mode = DELETE; VACUUM";
        compact.ExecuteNonQuery();
    }

    public static void LoadSqlite(string folder, string database) => File.Copy(Path.Combine(folder, DataOfSqlite), database);

    /// <summary>
    /// What its formats are, without what is in them: kinds of keys with their versions and members, or the tables. Where the present version differs from
    /// the newest corpus, that one does not show what it writes.
    /// </summary>
    public static IEnumerable<string> ShapeOf(string folder, string store)
    {
        if (store == "redis")
        {
            return ReadRedis(folder).SelectMany(pair => ShapeOf(pair.Key, pair.Value!.AsObject().Single())).Distinct().Order(StringComparer.Ordinal);
        }

        using var database = Open(Path.Combine(folder, DataOfSqlite));
        using var command = database.CreateCommand();
        command.CommandText = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL UNION ALL SELECT 'version ' || user_version FROM pragma_user_version";
        using var reader = command.ExecuteReader();
        var lines = new List<string>();
        while (reader.Read())
        {
            lines.Add(reader.GetString(0));
        }

        return lines.Order(StringComparer.Ordinal);
    }

    private static IEnumerable<string> ShapeOf(string key, KeyValuePair<string, JsonNode?> stored)
    {
        var kind = key[(key.IndexOf('}', StringComparison.Ordinal) + 1)..].Split(':').ElementAtOrDefault(1) ?? "runs";
        var (type, value) = stored;
        yield return $"{kind}: {type}" + (kind switch
        {
            "r" or "k" => $" {(kind == "k" ? (string)Decode(value)! : Bytes(value)[0])}",
            "c" or "run" => $" {string.Join(' ', value!.AsObject().Select(field => field.Key.Split(':')[0]).Distinct())}",
            _ => string.Empty,
        });
        switch (kind)
        {
            case "l":
                foreach (var turn in value!.AsArray())
                {
                    yield return $"turn: {Bytes(turn)[0]} {Bytes(turn)[1]}";
                }

                break;
            case "j":
                foreach (var entry in value!.AsArray())
                {
                    yield return $"entry: {JsonElement.Parse(Bytes(entry)).GetProperty("k")} {Members(Bytes(entry))}";
                }

                break;
            case "run":
                var spec = Bytes(value!["spec"]);
                yield return $"spec: {Members(spec.AsSpan(0, Array.IndexOf(spec, (byte)'\n')))}";
                break;
        }
    }

    private static string Members(ReadOnlySpan<byte> json) => string.Join(' ', JsonElement.Parse(json).EnumerateObject().Select(member => member.Name));

    private static JsonObject ReadRedis(string folder) => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, DataOfRedis)))!.AsObject();

    private static JsonArray Encode(RedisValue[] values) => [.. values.Select(value => Encode(value))];

    private static JsonNode Encode(RedisValue value)
    {
        var bytes = (byte[])value!;
        try
        {
            return JsonValue.Create(Strict.GetString(bytes));
        }
        catch (DecoderFallbackException)
        {
            return new JsonObject { ["base64"] = Convert.ToBase64String(bytes) };
        }
    }

    private static RedisValue Decode(JsonNode? value) => Bytes(value);

    private static byte[] Bytes(JsonNode? value) =>
        value is JsonObject encoded ? Convert.FromBase64String((string)encoded["base64"]!) : Strict.GetBytes((string)value!);

    private static SqliteConnection Open(string file)
    {
        var connection = new SqliteConnection($"Data Source={file};Pooling=False");
        connection.Open();
        return connection;
    }
}
