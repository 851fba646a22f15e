using System.Text;

namespace Gateway.Protocol.Responses;

/// <summary>The JSON types a member may have.</summary>
[Flags]
internal enum JsonShapes : byte
{
    None = 0,
    String = 1,
    Number = 2,
    Boolean = 4,
    Object = 8,
    Array = 16,
    Null = 32,
    Any = String | Number | Boolean | Object | Array | Null,
}

/// <summary>Where a content part may stand.</summary>
[Flags]
internal enum PartPlaces : byte
{
    None = 0,

    /// <summary>In a user, system or developer message.</summary>
    Input = 1,

    /// <summary>In an assistant message.</summary>
    Assistant = 2,

    /// <summary>In the output of a tool.</summary>
    ToolOutput = 4,

    /// <summary>In a reasoning item's <c>summary</c>.</summary>
    Summary = 8,

    /// <summary>In a reasoning item's <c>content</c>.</summary>
    Reasoning = 16,
}

/// <summary>What the translation makes of an item.</summary>
internal enum ItemMapping : byte
{
    /// <summary>No message: the item is kept and listed, but the model does not see it.</summary>
    None,

    /// <summary>A message of its role.</summary>
    Message,

    /// <summary>A user message, whatever its role says.</summary>
    UserText,

    /// <summary>A tool call of the assistant.</summary>
    Call,

    /// <summary>The answer to a <see cref="Call"/>.</summary>
    Output,

    /// <summary>A tool call together with its answer.</summary>
    CallWithOutput,

    /// <summary>A call that waits for the user's word, and the place in the conversation where its outcome belongs.</summary>
    ApprovalRequest,

    /// <summary>A call of a hosted tool, whose outcome is kept beside the item.</summary>
    HostedCall,

    /// <summary>Reasoning of the assistant message that follows.</summary>
    Reasoning,

    /// <summary>New settings for this turn and later ones.</summary>
    Settings,
}

/// <summary>A further check of a member's value, after its JSON type.</summary>
internal delegate ApiError? MemberCheck(ReadOnlyMemory<byte> value, string path);

/// <summary>A known member of an item or content part.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shapes">The JSON types it may have.</param>
/// <param name="Required">It must be there; null counts as absent unless <paramref name="Shapes"/> has it.</param>
/// <param name="Check">A further check, or null.</param>
internal sealed record MemberRule(string Name, JsonShapes Shapes, bool Required = false, MemberCheck? Check = null)
{
    public byte[] NameUtf8 { get; } = Encoding.UTF8.GetBytes(Name);
}

/// <summary>One type of item: how it is recognised, checked, and shown to the model.</summary>
internal sealed record ItemRow(ItemKind Kind, string Type, ItemMapping Mapping, MemberRule[] Members)
{
    public byte[] TypeUtf8 { get; } = Encoding.UTF8.GetBytes(Type);

    /// <summary>What the ids of such items begin with.</summary>
    public string IdPrefix { get; init; } = "item";

    /// <summary>The item can not be in a request yet.</summary>
    public bool Rejected { get; init; }

    /// <summary>The item has a <c>call_id</c>.</summary>
    public bool HasCallId { get; init; }

    /// <summary>The member that holds a call's arguments or an output's content.</summary>
    public string Payload
    {
        get;
        init
        {
            field = value;
            PayloadUtf8 = Encoding.UTF8.GetBytes(value);
        }
    } = "";

    public byte[] PayloadUtf8 { get; private init; } = [];

    /// <summary>The tool's name for the model, where the item does not carry one.</summary>
    public string? ToolName { get; init; }

    /// <summary>The type in words, for messages.</summary>
    public string Label { get; } = Type.Replace('_', ' ');
}
