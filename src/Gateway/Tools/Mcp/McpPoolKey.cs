using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Gateway.Egress;

namespace Gateway.Tools.Mcp;

/// <summary>
/// What two requests must have in common to share a connection. The headers are in it as a hash, so that no secret is kept for the comparison; the
/// egress scope is in it, so that a connection is never used under other rules than those it was opened under.
/// </summary>
internal readonly record struct McpPoolKey(string Tenant, string Url, McpTransport Transport, string HeaderHash, EgressScope Egress)
{
    public static McpPoolKey Of(McpServer server) =>
        new(server.Tenant, server.Url.AbsoluteUri, server.Transport, Hash(server.Headers), server.Egress);

    private static string Hash(IReadOnlyList<KeyValuePair<string, string>> headers)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (name, value) in headers)
        {
            Add(hash, name.ToLowerInvariant());
            Add(hash, value);
        }

        return Convert.ToHexString(hash.GetHashAndReset());
    }

    // Each text behind its length: "ab", "c" is not "a", "bc".
    private static void Add(IncrementalHash hash, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        Span<byte> length = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32LittleEndian(length, bytes.Length);
        hash.AppendData(length);
        hash.AppendData(bytes);
    }
}
