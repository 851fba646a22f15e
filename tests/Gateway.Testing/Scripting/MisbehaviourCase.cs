using System.Text.Json.Nodes;

namespace Gateway.Testing.Scripting;

/// <summary>One misbehaviour in one of its shapes.</summary>
/// <param name="Kind">The misbehaviour.</param>
/// <param name="Variant">Which shape (a field name, a server), or empty when there is one.</param>
/// <param name="CreateReaction">Makes a server with it, with a memory of its own.</param>
public sealed record MisbehaviourCase(Misbehaviour Kind, string Variant, Func<ChatReaction> CreateReaction)
{
    /// <summary>The answer to a first streamed request with nothing else in it: its exact bytes, for tests without a socket.</summary>
    public ChatScript Script => CreateReaction()(new JsonObject { ["stream"] = true, ["messages"] = new JsonArray() });

    public override string ToString() => Variant.Length == 0 ? $"{(int)Kind} {Kind}" : $"{(int)Kind} {Kind} ({Variant})";
}
