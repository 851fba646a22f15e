namespace Gateway.Policy;

/// <summary>Who may administer: section <c>Gateway:Admin</c>.</summary>
internal sealed class AdminOptions
{
    /// <summary>
    /// Keys of administrators, each in clear or as <c>sha256:&lt;64 hex digits&gt;</c> of the key's UTF-8 bytes. None may be a tenant's key.
    /// Default none: there are no routes to administer with. The first key needs a restart; later changes are live.
    /// </summary>
    public IReadOnlyList<string> Keys { get; set; } = [];
}
