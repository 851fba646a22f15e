namespace Gateway.Protocol.Responses;

/// <summary>Some of a server's tools: by name, by whether they only read, or both, when both must hold.</summary>
/// <param name="Names">The tools' names on the server; null for any.</param>
/// <param name="ReadOnly">Tools that the server marks as read-only, or those that it does not; null for any.</param>
public sealed record McpToolFilter(IReadOnlyList<string>? Names, bool? ReadOnly)
{
    public bool Matches(string name, bool isReadOnly) =>
        (Names is null || Names.Contains(name, StringComparer.Ordinal)) && (ReadOnly is null || ReadOnly == isReadOnly);

    /// <summary>Whether every tool that <paramref name="inner"/> lets pass passes <paramref name="outer"/> too; null lets all pass.</summary>
    public static bool IsWithin(McpToolFilter? inner, McpToolFilter? outer) =>
        (outer?.Names is not { } names || inner?.Names?.All(names.ToHashSet(StringComparer.Ordinal).Contains) == true)
        && (outer?.ReadOnly is not { } readOnly || inner?.ReadOnly == readOnly);
}
