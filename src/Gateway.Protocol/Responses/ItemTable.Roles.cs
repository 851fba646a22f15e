namespace Gateway.Protocol.Responses;

public static partial class ItemTable
{
    /// <summary>Whether the item is a message of this role.</summary>
    public static bool RoleIs(in Item item, ReadOnlySpan<byte> role) =>
        item.Kind == ItemKind.Message && JsonView.TextEquals(JsonView.Member(item.Json, "role"u8), role);
}
