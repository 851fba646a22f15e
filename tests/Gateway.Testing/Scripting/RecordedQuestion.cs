using System.Text.Json.Nodes;

namespace Gateway.Testing.Scripting;

/// <summary>One question of a probe as a server got it.</summary>
/// <param name="Method">The HTTP method.</param>
/// <param name="Path">The path.</param>
/// <param name="Body">The body; null without one.</param>
public sealed record RecordedQuestion(string Method, string Path, JsonObject? Body)
{
    /// <summary>The roles of its messages, joined by commas; empty without messages.</summary>
    public string Roles => string.Join(',', Body?["messages"]?.AsArray().Select(m => m!["role"]!.GetValue<string>()) ?? []);

    public bool Has(string member) => Body?.ContainsKey(member) == true;
}
