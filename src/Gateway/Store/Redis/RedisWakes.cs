using StackExchange.Redis;

namespace Gateway.Store.Redis;

/// <summary>
/// What waits on this replica for messages of Redis. All that waits on one channel shares one subscription, which ends with the last of it.
/// </summary>
internal sealed class RedisWakes(RedisConnection connection)
{
    private readonly Lock _lock = new();
    private readonly Dictionary<RedisChannel, Listening> _listening = [];

    /// <summary>Returns when Redis has taken the subscription.</summary>
    public async ValueTask<IAsyncDisposable> WatchAsync(RedisChannel channel, Action wake, CancellationToken cancellationToken)
    {
        var watch = new Watch(this, channel, wake);
        Task subscribed;
        lock (_lock)
        {
            if (!_listening.TryGetValue(channel, out var listening))
            {
                _listening.Add(channel, listening = new Listening());
            }

            listening.Watches = [.. listening.Watches, watch];
            if (listening.Watches.Length == 1 || listening.Last.IsFaulted || listening.Last.IsCanceled)
            {
                listening.Last = SubscribeAfterAsync(listening.Last, channel, listening);
            }

            subscribed = listening.Last;
        }

        try
        {
            await subscribed.WaitAsync(cancellationToken).ConfigureAwait(false);
            return watch;
        }
        catch
        {
            await watch.DisposeAsync().ConfigureAwait(false);
            throw;
        }
    }

    // Subscribing and unsubscribing of one channel are done one after the other: the client would send them in any order.
    private async Task SubscribeAfterAsync(Task before, RedisChannel channel, Listening listening)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        var db = await connection.GetDatabaseAsync(CancellationToken.None).ConfigureAwait(false);
        await db.Multiplexer.GetSubscriber().SubscribeAsync(channel, listening.Wake).ConfigureAwait(false);
    }

    private async Task UnsubscribeAfterAsync(Task before, RedisChannel channel, Listening listening, int number)
    {
        await before.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing | ConfigureAwaitOptions.ForceYielding);
        try
        {
            var db = await connection.GetDatabaseAsync(CancellationToken.None).ConfigureAwait(false);
            await db.Multiplexer.GetSubscriber().UnsubscribeAsync(channel, listening.Wake).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RedisException or RedisCommandException or TimeoutException or ObjectDisposedException)
        {
            // The client has forgotten the subscription; one that Redis goes on serving wakes nobody, and ends with the connection.
        }

        lock (_lock)
        {
            if (listening.Ends == number && listening.Watches.Length == 0)
            {
                _listening.Remove(channel);
            }
        }
    }

    private void Remove(Watch watch)
    {
        lock (_lock)
        {
            if (!_listening.TryGetValue(watch.Channel, out var listening) || !listening.Watches.Contains(watch))
            {
                return;
            }

            listening.Watches = [.. listening.Watches.Where(other => other != watch)];
            if (listening.Watches.Length == 0)
            {
                listening.Last = UnsubscribeAfterAsync(listening.Last, watch.Channel, listening, ++listening.Ends);
            }
        }
    }

    /// <summary>One channel that is listened to.</summary>
    private sealed class Listening
    {
        public Listening() => Wake = (_, _) => Array.ForEach(Watches, watch => watch.Wake());

        /// <summary>Replaced whole, under the lock.</summary>
        public Watch[] Watches { get; set; } = [];

        /// <summary>The last subscribing or unsubscribing.</summary>
        public Task Last { get; set; } = Task.CompletedTask;

        /// <summary>How often it was unsubscribed: only the last time forgets the channel.</summary>
        public int Ends { get; set; }

        public Action<RedisChannel, RedisValue> Wake { get; }
    }

    private sealed class Watch(RedisWakes wakes, RedisChannel channel, Action wake) : IAsyncDisposable
    {
        public RedisChannel Channel => channel;

        public Action Wake => wake;

        /// <summary>Nobody waits until Redis knows it.</summary>
        public ValueTask DisposeAsync()
        {
            wakes.Remove(this);
            return ValueTask.CompletedTask;
        }
    }
}
