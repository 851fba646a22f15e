namespace Gateway.Store.Sealing;

/// <summary>Keys for what the gateway must hand out or keep unreadable.</summary>
internal sealed class SecretsOptions
{
    public const string Section = "Gateway:Secrets";

    /// <summary>The length of a key, in bytes.</summary>
    public const int KeyBytes = 32;

    /// <summary>
    /// Keys, each 32 random bytes in base64 (<c>openssl rand -base64 32</c>). The first one seals, any of them opens: put a new key first and
    /// drop the old one when all it sealed has expired.
    /// </summary>
    /// <value>Default: none: with the embedded store a key is made and kept beside it; with Redis nothing is sealed</value>
    public IList<string> Keys { get; init; } = [];
}
