namespace Gateway.Protocol.Responses;

/// <summary>The table of item types: a row per type with its required members and what the gateway does with it.</summary>
public static partial class ItemTable
{
}
