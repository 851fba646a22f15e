using System.Security.Cryptography;
using System.Text;

namespace Gateway.Store;

/// <summary>The name under which a claim is kept: a hash, since what is claimed may be text of any length that a client made.</summary>
internal static class ClaimName
{
    public static string Of(string name) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(name)).AsSpan(0, 20));
}
