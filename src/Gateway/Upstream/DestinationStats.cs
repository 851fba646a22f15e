using System.IO.Hashing;
using System.Runtime.InteropServices;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>
/// What the picker knows of one destination: YARP's own counters are internal, and blind to calls that YARP did not make. Times are timestamps
/// of the clock, 0 for never.
/// </summary>
/// <param name="upstream">The upstream's name.</param>
/// <param name="destination">YARP's destination.</param>
internal sealed class DestinationStats(string upstream, DestinationState destination)
{
    /// <summary>The first time that a failing destination is left alone.</summary>
    public static readonly TimeSpan FirstEjection = TimeSpan.FromSeconds(10);

    /// <summary>The longest time.</summary>
    public static readonly TimeSpan LongestEjection = TimeSpan.FromMinutes(5);

    /// <summary>A destination that fails again within this time, or as long as it was out, was taken back too soon.</summary>
    private static readonly TimeSpan Soon = TimeSpan.FromMinutes(1);

    private readonly ulong _seed = XxHash3.HashToUInt64(MemoryMarshal.AsBytes($"{upstream}\n{destination.DestinationId}".AsSpan()));
    private readonly Lock _lock = new();
    private int _inFlight;
    private int _failures;
    private int _probeFailures;
    private int _ejections;
    private long _outUntil;
    private long _restUntil;
    private long _rampFrom;
    private TimeSpan _lastEjection;
    private bool _couldNotConnect;
    private ChatAddress? _chat;

    public string Upstream => upstream;

    public DestinationState Destination => destination;

    public string Id => destination.DestinationId;

    /// <summary>Calls that the destination works on for this replica.</summary>
    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Failed calls in a row.</summary>
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>How often it was left alone after failures, since the start.</summary>
    public int Ejections => Volatile.Read(ref _ejections);

    /// <summary>It failed, and is left alone until then.</summary>
    public long OutUntil => Volatile.Read(ref _outUntil);

    /// <summary>It has reached its limit of requests, and is spared until then.</summary>
    public long RestUntil => Volatile.Read(ref _restUntil);

    /// <summary>Its share of the load grows since then; 0 when it has its whole share.</summary>
    public long RampFrom
    {
        get => Volatile.Read(ref _rampFrom);
        set => Volatile.Write(ref _rampFrom, value);
    }

    /// <summary>It is left alone as long as there is another.</summary>
    public bool IsAvoided(long now) => OutUntil > now || RestUntil > now;

    /// <summary>
    /// Place of a hashed key on this destination, evenly spread over 0 to 1 and never either: with the weight it gives the rendezvous score,
    /// the same on every replica.
    /// </summary>
    public double Spot(ulong key)
    {
        // The finalizer of SplitMix64: every bit of the key and of the seed moves every bit of the outcome.
        var mixed = key ^ _seed;
        mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
        mixed ^= mixed >> 31;
        return ((mixed >> 11) + 0.5) * (1.0 / (1UL << 53));
    }

    /// <summary>Takes a place if one is free.</summary>
    /// <param name="limit">The most calls at once; null for any number.</param>
    public bool TryEnter(int? limit)
    {
        if (limit is null)
        {
            Interlocked.Increment(ref _inFlight);
            return true;
        }

        var now = InFlight;
        while (now < limit)
        {
            var seen = Interlocked.CompareExchange(ref _inFlight, now + 1, now);
            if (seen == now)
            {
                return true;
            }

            now = seen;
        }

        return false;
    }

    public void Leave() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Counts failures in a row; returns how many there are now.</summary>
    public int AddFailures(int weight) => Interlocked.Add(ref _failures, weight);

    /// <summary>A call went well.</summary>
    public void ClearFailures()
    {
        if (Volatile.Read(ref _failures) != 0)
        {
            Volatile.Write(ref _failures, 0);
        }
    }

    /// <summary>Counts a probe; returns how many have failed in a row.</summary>
    public int CountProbe(bool failed) => _probeFailures = failed ? _probeFailures + 1 : 0;

    /// <summary>
    /// Leaves the destination alone: 10 s, and twice the last time for one that failed again soon after it was taken back, at most 5 minutes.
    /// Returns for how long; zero when it is out already.
    /// </summary>
    public TimeSpan TakeOut(TimeProvider time, bool couldNotConnect)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (_outUntil > now)
            {
                return TimeSpan.Zero;
            }

            var isSoon = _ejections > 0 && time.GetElapsedTime(_outUntil, now) <= (_lastEjection > Soon ? _lastEjection : Soon);
            var next = isSoon ? 2 * _lastEjection : FirstEjection;
            _lastEjection = next < LongestEjection ? next : LongestEjection;
            _couldNotConnect = couldNotConnect;
            _ejections++;
            ClearFailures();
            Volatile.Write(ref _outUntil, After(time, now, _lastEjection));
            RampFrom = _outUntil;
            return _lastEjection;
        }
    }

    /// <summary>A probe got through. True when that ends the time of a destination that could not be connected to; other failures it says nothing about.</summary>
    public bool TakeBack(TimeProvider time)
    {
        lock (_lock)
        {
            var now = time.GetTimestamp();
            if (_outUntil <= now || !_couldNotConnect)
            {
                return false;
            }

            Volatile.Write(ref _outUntil, now);
            RampFrom = now;
            return true;
        }
    }

    /// <summary>Spares the destination for a time. A longer one that is on goes on.</summary>
    public void Rest(TimeProvider time, TimeSpan wait)
    {
        lock (_lock)
        {
            Volatile.Write(ref _restUntil, Math.Max(_restUntil, After(time, time.GetTimestamp(), wait)));
        }
    }

    /// <summary>The URL of chat completions at the destination, made once.</summary>
    public Uri ChatUri()
    {
        var address = destination.Model.Config.Address;
        if (_chat is { } known && ReferenceEquals(known.Address, address))
        {
            return known.Uri;
        }

        var made = new ChatAddress(address, new Uri($"{address.TrimEnd('/')}/chat/completions"));
        _chat = made;
        return made.Uri;
    }

    private static long After(TimeProvider time, long now, TimeSpan wait) => now + (long)(wait.TotalSeconds * time.TimestampFrequency);

    private sealed record ChatAddress(string Address, Uri Uri);
}
