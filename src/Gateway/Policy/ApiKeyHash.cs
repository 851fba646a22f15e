using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Policy;

/// <summary>
/// The SHA-256 of an API key. Only hashes are kept and compared: the time a comparison takes says nothing about a key, since nobody can
/// choose the hash of what they send.
/// </summary>
internal readonly struct ApiKeyHash : IEquatable<ApiKeyHash>
{
    /// <summary>The longest key, in bytes of UTF-8. Longer ones are refused unhashed.</summary>
    public const int MaxKeyBytes = 1024;

    private const string HashPrefix = "sha256:";

    private readonly Digest _digest;

    private ApiKeyHash(ReadOnlySpan<byte> digest) => digest.CopyTo(_digest);

    /// <summary>Hashes a presented key. False when it is empty or too long to be one.</summary>
    public static bool TryHash(ReadOnlySpan<char> key, out ApiKeyHash hash)
    {
        hash = default;
        // A char is at least one byte, so that a long header is refused before it is counted.
        if (key.IsEmpty || key.Length > MaxKeyBytes || Encoding.UTF8.GetByteCount(key) > MaxKeyBytes)
        {
            return false;
        }

        Span<byte> utf8 = stackalloc byte[MaxKeyBytes];
        Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(utf8[..Encoding.UTF8.GetBytes(key, utf8)], digest);
        hash = new ApiKeyHash(digest);
        return true;
    }

    /// <summary>Reads a configured key, in clear or as <c>sha256:&lt;hex&gt;</c>. Returns what is wrong with it, without quoting it, or null.</summary>
    public static string? ReadConfigured(string? text, out ApiKeyHash hash)
    {
        hash = default;
        if (string.IsNullOrWhiteSpace(text))
        {
            return "is empty: give a key, or leave it out.";
        }

        if (text.StartsWith(HashPrefix, StringComparison.OrdinalIgnoreCase))
        {
            var hex = text.AsSpan(HashPrefix.Length);
            Span<byte> digest = stackalloc byte[SHA256.HashSizeInBytes];
            if (hex.Length != digest.Length * 2 || Convert.FromHexString(hex, digest, out _, out _) != OperationStatus.Done)
            {
                return "is not readable: after 'sha256:' it must have 64 hexadecimal digits.";
            }

            hash = new ApiKeyHash(digest);
            return null;
        }

        if (text.AsSpan().ContainsAny(' ', '\t'))
        {
            return "has white space in it, which a client can not send.";
        }

        return TryHash(text, out hash) ? null : "is too long: a key has at most 1024 bytes.";
    }

    /// <summary>Takes the same time wherever the hashes differ.</summary>
    public bool Equals(ApiKeyHash other) =>
        CryptographicOperations.FixedTimeEquals(
            MemoryMarshal.AsBytes(new ReadOnlySpan<ApiKeyHash>(in this)), MemoryMarshal.AsBytes(new ReadOnlySpan<ApiKeyHash>(in other)));

    public override bool Equals([NotNullWhen(true)] object? obj) => obj is ApiKeyHash other && Equals(other);

    /// <summary>The hash is uniform already.</summary>
    public override int GetHashCode() => MemoryMarshal.Read<int>(_digest);

    /// <summary>Says nothing about the key.</summary>
    public override string ToString() => "sha256:…";

    [InlineArray(SHA256.HashSizeInBytes)]
    private struct Digest
    {
        private byte _first;
    }
}
