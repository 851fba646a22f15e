using System.Diagnostics.CodeAnalysis;
using System.Globalization;

namespace Gateway.Store;

/// <summary>
/// The identity of a response: the chain it belongs to and itself. Both are random text, and both are spelled out in the ids that clients
/// see, so that any replica finds a response or an item without an index.
/// </summary>
/// <param name="Chain">16 characters (95 bits): the chain, which is also the hash slot in Redis Cluster.</param>
/// <param name="Self">22 characters (131 bits): the response within its tenant.</param>
internal readonly record struct ResponseId(string Chain, string Self)
{
    public const int ChainLength = 16;
    public const int SelfLength = 22;
    private const string Prefix = "resp_";

    /// <summary>A response that starts a chain.</summary>
    public static ResponseId NewChain() => new(RandomText.Of(ChainLength), RandomText.Of(SelfLength));

    /// <summary>Another response of this chain.</summary>
    public ResponseId NewInChain() => this with { Self = RandomText.Of(SelfLength) };

    /// <summary>The id of the turn's item number <paramref name="index"/>, input items first (<c>msg_…</c>, <c>fc_…</c>).</summary>
    public string ItemId(string prefix, int index) => string.Create(CultureInfo.InvariantCulture, $"{prefix}_{Chain}{Self}{index}");

    /// <summary>Reads a client's <c>resp_…</c>. False for anything that this gateway can not have made.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ResponseId id)
    {
        id = default;
        if (text is null || text.Length != Prefix.Length + ChainLength + SelfLength || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        return TrySplit(text.AsSpan(Prefix.Length), out id);
    }

    /// <summary>Reads an item id made by <see cref="ItemId"/>: the response it belongs to and its place in the turn.</summary>
    public static bool TryParseItem([NotNullWhen(true)] string? text, out ResponseId id, out int index)
    {
        id = default;
        index = 0;
        var underscore = text?.IndexOf('_', StringComparison.Ordinal) ?? -1;
        if (underscore <= 0 || text!.Length <= underscore + 1 + ChainLength + SelfLength || text.Length > 64)
        {
            return false;
        }

        var rest = text.AsSpan(underscore + 1);
        return TrySplit(rest[..(ChainLength + SelfLength)], out id)
            && int.TryParse(rest[(ChainLength + SelfLength)..], NumberStyles.None, CultureInfo.InvariantCulture, out index);
    }

    public override string ToString() => Prefix + Chain + Self;

    /// <summary>Reads chain and self from the text behind an id's prefix; it must have the length of both.</summary>
    internal static bool TrySplit(ReadOnlySpan<char> text, out ResponseId id)
    {
        id = default;
        foreach (var c in text)
        {
            if (!char.IsAsciiLetterOrDigit(c))
            {
                return false;
            }
        }

        id = new ResponseId(text[..ChainLength].ToString(), text[ChainLength..].ToString());
        return true;
    }
}
