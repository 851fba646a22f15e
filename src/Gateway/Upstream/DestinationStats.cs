using System.IO.Hashing;
using System.Runtime.InteropServices;
using Yarp.ReverseProxy.Model;

namespace Gateway.Upstream;

/// <summary>What the picker knows of one destination: YARP's own counters are internal, and blind to calls that YARP did not make.</summary>
internal sealed class DestinationStats(string id)
{
    private int _inFlight;
    private int _failures;
    private readonly long _seed = unchecked((long)XxHash3.HashToUInt64(MemoryMarshal.AsBytes(id.AsSpan())));
    private ChatAddress? _chat;

    public int InFlight => Volatile.Read(ref _inFlight);

    /// <summary>Failures in a row.</summary>
    public int Failures => Volatile.Read(ref _failures);

    /// <summary>Place of a key on this destination: the destination with the highest place is the key's own, on every replica.</summary>
    public ulong Place(ReadOnlySpan<char> key) => XxHash3.HashToUInt64(MemoryMarshal.AsBytes(key), _seed);

    public void Enter() => Interlocked.Increment(ref _inFlight);

    public void Leave() => Interlocked.Decrement(ref _inFlight);

    /// <summary>Counts failures in a row; returns how many there are now.</summary>
    public int AddFailures(int weight) => Interlocked.Add(ref _failures, weight);

    public void ClearFailures()
    {
        if (Volatile.Read(ref _failures) != 0)
        {
            Volatile.Write(ref _failures, 0);
        }
    }

    /// <summary>The URL of chat completions at the destination, made once.</summary>
    public Uri ChatUri(DestinationState destination)
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

    private sealed record ChatAddress(string Address, Uri Uri);
}
