namespace Gateway.Store.Redis;

/// <summary>What the index says of a response.</summary>
internal readonly record struct RedisIndexEntry(ResponseId Id, DateTimeOffset Created);
