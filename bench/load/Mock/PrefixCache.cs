using System.IO.Hashing;

namespace Gateway.Load.Mock;

/// <summary>
/// What a model server keeps of the prompts it has read: whole blocks, each known by the hash of all that stands up to its end, so that a block counts
/// only behind the same beginning. What was not used for longest goes first, the end of a prompt before its beginning.
/// </summary>
/// <param name="capacity">The most blocks that are kept.</param>
internal sealed class PrefixCache(int capacity)
{
    /// <summary>A token is four bytes here, a block sixteen tokens, as in vLLM.</summary>
    public const int TokenBytes = 4;

    public const int BlockTokens = 16;
    private const int BlockBytes = BlockTokens * TokenBytes;

    private readonly Lock _lock = new();
    private readonly Dictionary<ulong, LinkedListNode<ulong>> _blocks = [];
    private readonly LinkedList<ulong> _byUse = [];

    /// <summary>Reads a prompt, whose whole blocks are in the cache afterwards.</summary>
    /// <returns>How many tokens at its beginning were there before.</returns>
    public int Read(ReadOnlySpan<byte> prompt)
    {
        var hashes = new ulong[prompt.Length / BlockBytes];
        var hash = 0UL;
        for (var i = 0; i < hashes.Length; i++)
        {
            hashes[i] = hash = XxHash3.HashToUInt64(prompt.Slice(i * BlockBytes, BlockBytes), (long)hash);
        }

        lock (_lock)
        {
            var known = 0;
            while (known < hashes.Length && _blocks.ContainsKey(hashes[known]))
            {
                known++;
            }

            for (var i = hashes.Length - 1; i >= 0; i--)
            {
                Use(hashes[i]);
            }

            while (_byUse.Count > capacity)
            {
                _blocks.Remove(_byUse.Last!.Value);
                _byUse.RemoveLast();
            }

            return known * BlockTokens;
        }
    }

    private void Use(ulong hash)
    {
        if (_blocks.TryGetValue(hash, out var node))
        {
            _byUse.Remove(node);
            _byUse.AddFirst(node);
        }
        else
        {
            _blocks.Add(hash, _byUse.AddFirst(hash));
        }
    }
}
