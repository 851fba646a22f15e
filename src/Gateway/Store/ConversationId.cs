using System.Diagnostics.CodeAnalysis;

namespace Gateway.Store;

/// <summary>
/// The identity of a conversation: a chain of its own, and itself. Its turns, and so its items, carry the same chain in their ids: any replica
/// finds them without an index.
/// </summary>
/// <param name="Chain">16 characters, as <see cref="ResponseId.Chain"/>.</param>
/// <param name="Self">22 characters; who knows an item only, knows no conversation.</param>
internal readonly record struct ConversationId(string Chain, string Self)
{
    private const string Prefix = "conv_";

    public static ConversationId New() => new(RandomText.Of(ResponseId.ChainLength), RandomText.Of(ResponseId.SelfLength));

    /// <summary>The id of a response, or of an addition of items, in this conversation.</summary>
    public ResponseId NewTurn() => new(Chain, RandomText.Of(ResponseId.SelfLength));

    /// <summary>Reads a client's <c>conv_…</c>. False for anything that this gateway can not have made.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, out ConversationId id)
    {
        id = default;
        if (text is null || text.Length != Prefix.Length + ResponseId.ChainLength + ResponseId.SelfLength
            || !text.StartsWith(Prefix, StringComparison.Ordinal) || !ResponseId.TrySplit(text.AsSpan(Prefix.Length), out var parts))
        {
            return false;
        }

        id = new ConversationId(parts.Chain, parts.Self);
        return true;
    }

    public override string ToString() => Prefix + Chain + Self;
}
