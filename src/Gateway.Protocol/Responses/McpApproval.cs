namespace Gateway.Protocol.Responses;

/// <summary>Which calls wait for the user's word (<c>require_approval</c>).</summary>
/// <param name="ByDefault">Whether a tool that neither filter names needs approval.</param>
/// <param name="Always">Tools that need it; null for none.</param>
/// <param name="Never">Tools that do not need it; null for none.</param>
public sealed record McpApproval(bool ByDefault, McpToolFilter? Always = null, McpToolFilter? Never = null)
{
    /// <summary>A tool in both filters needs approval: the safe reading.</summary>
    public bool IsNeeded(string name, bool isReadOnly) =>
        Always?.Matches(name, isReadOnly) == true || (Never?.Matches(name, isReadOnly) != true && ByDefault);
}
