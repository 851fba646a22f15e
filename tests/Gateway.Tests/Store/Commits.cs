using System.Text;
using Gateway.Store;

namespace Gateway.Tests.Store;

/// <summary>Turns to commit, each with text of its own.</summary>
internal static class Commits
{
    public static readonly TimeSpan Retention = TimeSpan.FromDays(2);

    public static TurnCommit Start(string tenant, DateTimeOffset created, string text = "hello") =>
        Make(tenant, ResponseId.NewChain(), [], created, text);

    /// <summary>The child that the gateway would commit: in the parent's chain behind its tail, else in a new chain.</summary>
    public static TurnCommit Child(string tenant, Chain parent, DateTimeOffset created, string text = "and then") =>
        Make(tenant, parent.ParentIsTail ? parent.Parent.Id.NewInChain() : ResponseId.NewChain(), parent.Parent.Path, created, text);

    public static TurnCommit Make(string tenant, ResponseId id, IReadOnlyList<PathSegment> parentPath, DateTimeOffset created, string text)
    {
        var envelope = $$"""{"id":"{{id}}","output":[],"text":"{{text}}"}""";
        return new TurnCommit
        {
            Tenant = tenant,
            Id = id,
            ParentPath = parentPath,
            Status = "completed",
            CreatedAt = created,
            Turn = new Turn(
                [Json($$"""{"id":"{{id.ItemId("msg", 0)}}","text":"{{text}}"}"""), Json("""{"type":"item_reference"}""")],
                [Json($$"""{"id":"{{id.ItemId("msg", 2)}}","answer":"{{text}} ž𝄞"}""")],
                Json("""{"calls":[1]}""")),
            Envelope = Json(envelope),
            OutputOffset = envelope.IndexOf("[]", StringComparison.Ordinal) + 1,
            Retention = Retention,
        };
    }

    /// <summary>All of a turn as one text, to compare.</summary>
    public static string Text(this Turn turn) =>
        string.Join('|', turn.Input.Select(Text)) + "→" + string.Join('|', turn.Output.Select(Text)) + "·" + Text(turn.Private);

    public static string Text(ReadOnlyMemory<byte> bytes) => Encoding.UTF8.GetString(bytes.Span);

    private static ReadOnlyMemory<byte> Json(string text) => Encoding.UTF8.GetBytes(text);
}
