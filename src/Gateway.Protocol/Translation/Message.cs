namespace Gateway.Protocol.Translation;

/// <summary>Who speaks in a message.</summary>
internal enum MessageRole : byte { System, Developer, User, Assistant, Tool }

/// <summary>What a piece of content is.</summary>
internal enum MessagePartKind : byte
{
    Text,

    /// <summary>Text between two texts, left out where parts are sent one by one.</summary>
    Separator,
    Image,
    File,
    Audio,
    Video,
}

/// <summary>A piece of content: views into the items' JSON, text as it is escaped there.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Value">Escaped text; or the escaped URL or data; or, for audio, the raw object.</param>
/// <param name="Extra">An image's detail or a file's name, escaped; empty when there is none.</param>
internal readonly record struct MessagePart(MessagePartKind Kind, ReadOnlyMemory<byte> Value, ReadOnlyMemory<byte> Extra = default);

/// <summary>A tool call in an assistant message.</summary>
/// <param name="Item">The index of the call's item.</param>
/// <param name="Id">The id for the upstream.</param>
/// <param name="Name">The tool's name for the upstream, escaped.</param>
/// <param name="Arguments">The arguments, the text of a JSON document escaped as a string.</param>
internal readonly record struct MessageCall(int Item, string Id, ReadOnlyMemory<byte> Name, ReadOnlyMemory<byte> Arguments);

/// <summary>One message of a Chat Completions request before it is written.</summary>
internal sealed class Message(MessageRole role)
{
    public MessageRole Role { get; } = role;

    public List<MessagePart> Content { get; } = [];

    /// <summary>The assistant's calls; null when it made none.</summary>
    public List<MessageCall>? Calls { get; set; }

    /// <summary>The assistant's reasoning, escaped; null when none is sent back.</summary>
    public List<MessagePart>? Reasoning { get; set; }

    /// <summary>The call a tool message answers.</summary>
    public string? ToolCallId { get; init; }

    public bool HasContent
    {
        get
        {
            foreach (var part in Content)
            {
                if (part.Value.Length > 0)
                {
                    return true;
                }
            }

            return false;
        }
    }

    public bool IsTextOnly
    {
        get
        {
            foreach (var part in Content)
            {
                if (part.Kind > MessagePartKind.Separator)
                {
                    return false;
                }
            }

            return true;
        }
    }
}
