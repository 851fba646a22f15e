using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;
using System.Text;

namespace Gateway.Store.Sealing;

/// <summary>
/// Seals text that must leave the gateway or lie in the store unreadable, with AES-256-GCM. A blob is base64url of: version, 8 bytes that
/// name the key, 12 bytes of nonce, the cipher text, 16 bytes of tag. All before the nonce, the tenant and the purpose are authenticated
/// too, so that a blob opens for no other tenant and for nothing else.
/// </summary>
internal sealed class SecretSealer
{
    private const byte Version = 1;
    private const int KeyIdBytes = 8;
    private const int NonceBytes = 12;
    private const int TagBytes = 16;
    private const int HeaderBytes = 1 + KeyIdBytes;
    private readonly (byte[] Id, byte[] Key)[] _keys;

    /// <param name="keys">Keys of 32 bytes; the first one seals.</param>
    public SecretSealer(IEnumerable<byte[]> keys) => _keys = [.. keys.Select(key => (IdOf(key), key))];

    /// <summary>There is a key. Without one nothing can be sealed, and nothing opens.</summary>
    public bool CanSeal => _keys.Length > 0;

    public static SecretSealer Create(SecretsOptions secrets, StoreOptions store, ILogger logger)
    {
        if (secrets.Keys.Count > 0)
        {
            return new SecretSealer(secrets.Keys.Select(Convert.FromBase64String));
        }

        return new SecretSealer(store.UsesRedis ? [] : [SecretKeyFile.ReadOrMake(store.Path, logger)]);
    }

    /// <exception cref="InvalidOperationException">There is no key: ask <see cref="CanSeal"/> first.</exception>
    public string Seal(string tenant, string purpose, ReadOnlySpan<byte> plain)
    {
        if (!CanSeal)
        {
            throw new InvalidOperationException($"{SecretsOptions.Section}:Keys is empty: nothing can be sealed.");
        }

        var (id, key) = _keys[0];
        var blob = new byte[HeaderBytes + NonceBytes + plain.Length + TagBytes];
        blob[0] = Version;
        id.CopyTo(blob.AsSpan(1));
        var (nonce, cipher, tag) = Parts(blob);
        RandomNumberGenerator.Fill(nonce);
        using var aes = new AesGcm(key, TagBytes);
        aes.Encrypt(nonce, plain, cipher, tag, Associated(blob, tenant, purpose));
        return Base64Url.EncodeToString(blob);
    }

    /// <summary>Null for anything that was not sealed here for this tenant and purpose with a key that is still known.</summary>
    public byte[]? Open(string tenant, string purpose, string blob)
    {
        if (!TryDecode(blob, out var bytes) || bytes.Length < HeaderBytes + NonceBytes + TagBytes || bytes[0] != Version)
        {
            return null;
        }

        var id = bytes.AsSpan(1, KeyIdBytes);
        foreach (var known in _keys)
        {
            if (id.SequenceEqual(known.Id))
            {
                return Decrypt(known.Key, bytes, Associated(bytes, tenant, purpose));
            }
        }

        return null;
    }

    private static byte[]? Decrypt(byte[] key, byte[] bytes, byte[] associated)
    {
        var (nonce, cipher, tag) = Parts(bytes);
        var plain = new byte[cipher.Length];
        using var aes = new AesGcm(key, TagBytes);
        try
        {
            aes.Decrypt(nonce, cipher, tag, plain, associated);
            return plain;
        }
        catch (AuthenticationTagMismatchException)
        {
            return null;
        }
    }

    private static Sealed Parts(byte[] blob) => new(
        blob.AsSpan(HeaderBytes, NonceBytes), blob.AsSpan((HeaderBytes + NonceBytes)..^TagBytes), blob.AsSpan(^TagBytes..));

    private static byte[] Associated(byte[] blob, string tenant, string purpose) =>
        [.. blob.AsSpan(0, HeaderBytes), .. Encoding.UTF8.GetBytes(tenant), 0, .. Encoding.UTF8.GetBytes(purpose)];

    private static byte[] IdOf(byte[] key) => SHA256.HashData([.. "gateway key id"u8, .. key])[..KeyIdBytes];

    private static bool TryDecode(string blob, [NotNullWhen(true)] out byte[]? bytes)
    {
        bytes = null;
        if (!Base64Url.IsValid(blob))
        {
            return false;
        }

        bytes = Base64Url.DecodeFromChars(blob);
        return true;
    }

    /// <summary>The parts of a blob behind its header.</summary>
    private readonly ref struct Sealed(Span<byte> nonce, Span<byte> cipher, Span<byte> tag)
    {
        private readonly Span<byte> _nonce = nonce;
        private readonly Span<byte> _cipher = cipher;
        private readonly Span<byte> _tag = tag;

        public void Deconstruct(out Span<byte> nonce, out Span<byte> cipher, out Span<byte> tag)
        {
            nonce = _nonce;
            cipher = _cipher;
            tag = _tag;
        }
    }
}
