using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Puts the items of a context together as Chat Completions messages: one pass over the items, oldest first, with every rule that chat
/// templates impose on the way, as far as the profile asks for it. Equal items at the start give equal messages at the start.
/// </summary>
/// <remarks>
/// The assistant's items are gathered until something else comes: the text directly before the first call, all calls of that turn and the
/// text behind them are one message, and the outputs follow at once in the order of the calls, wherever they stood.
/// </remarks>
internal sealed partial class MessageAssembler
{
    private static readonly ReadOnlyMemory<byte> SystemMark = "[system] "u8.ToArray();

    private readonly ChatRequest _chat;
    private readonly RouteProfile _profile;
    private readonly MessageContent _content;
    private readonly CallPairs _pairs;
    private readonly ServerCallOutcomes _serverCalls;
    private readonly bool _replaysReasoning;
    private readonly int _replayFrom;
    private readonly Message _system = new(MessageRole.System);
    private readonly List<Message> _messages = [];
    private readonly List<MessagePart> _following = [];
    private readonly List<MessagePart> _reasoning = [];
    private Message? _turn;
    private bool _turnHasClientCalls;
    private int _callCount;

    public MessageAssembler(ChatRequest chat)
    {
        _chat = chat;
        _profile = chat.Profile;
        _content = new MessageContent(_profile, chat.InlinedImages);
        _pairs = CallPairs.Find(chat.Items);
        _serverCalls = ServerCallOutcomes.Find(chat.Items);
        var replay = ReplayOf(chat);
        _replaysReasoning = _profile.ReasoningIn != ReasoningIn.None && replay != ReasoningReplay.Never;
        _replayFrom = _replaysReasoning && replay == ReasoningReplay.ToolLoop ? LastUserMessage(chat.Items) + 1 : 0;
    }

    /// <summary>The context holds calls that are shown to the model.</summary>
    public bool HasCalls => _callCount > 0;

    /// <summary>Assembles the messages. <paramref name="systemSuffix"/> is what the gateway itself adds to the system text, or null.</summary>
    public ApiError? Assemble(string? systemSuffix, out List<Message> messages)
    {
        messages = _messages;
        if (_chat.Request.Instructions is { Length: > 0 } instructions)
        {
            MessageContent.AddText(_system.Content, MessageContent.Escape(instructions), MessageContent.BlankLine);
        }

        for (var i = 0; i < _chat.Items.Count; i++)
        {
            if (Add(i) is { } error)
            {
                return error;
            }
        }

        EndTurn();
        if (systemSuffix is not null)
        {
            MessageContent.AddText(_system.Content, MessageContent.Escape(systemSuffix), MessageContent.BlankLine);
        }

        PlaceSystem();
        return null;
    }

    /// <summary>When reasoning is replayed: as the profile can, and within that as the request asks.</summary>
    private static ReasoningReplay ReplayOf(ChatRequest chat) => chat.Profile.ReasoningReplay == ReasoningReplay.Never
        ? ReasoningReplay.Never
        : chat.Request.ReasoningContext switch
        {
            "current_turn" => ReasoningReplay.ToolLoop,
            "all_turns" => ReasoningReplay.All,
            _ => chat.Profile.ReasoningReplay,
        };

    private static int LastUserMessage(IReadOnlyList<Item> items)
    {
        for (var i = items.Count - 1; i >= 0; i--)
        {
            var item = items[i];
            if (item.Kind == ItemKind.AgentMessage
                || (item.Kind == ItemKind.Message && JsonView.TextEquals(JsonView.Member(item.Json, "role"u8), "user"u8)))
            {
                return i;
            }
        }

        return -1;
    }

    private ApiError? Add(int index)
    {
        var item = _chat.Items[index];
        if (item.Kind is ItemKind.Message or ItemKind.Reasoning && _chat.Notes.IsAbandoned(item))
        {
            return null;
        }

        switch (ItemTable.Row(item.Kind).Mapping)
        {
            case ItemMapping.Message:
                return AddMessage(item);
            case ItemMapping.UserText:
                EndTurn();
                AddAgentMessage(item);
                return null;
            case ItemMapping.Call:
                AddCall(index, item);
                return null;
            case ItemMapping.CallWithOutput:
                if (!_serverCalls.IsShownAtRequest(item))
                {
                    AddServerCall(index, item);
                }

                return null;
            case ItemMapping.ApprovalRequest:
                AddApprovalRequest(index, item);
                return null;
            case ItemMapping.HostedCall:
                if (HiddenCallOf(item) is not null)
                {
                    AddServerCall(index, item);
                }

                return null;
            case ItemMapping.Output:
                // Written with its call.
                EndTurn();
                return null;
            case ItemMapping.Reasoning:
                AddReasoning(index, item);
                return null;
            default:
                return null;
        }
    }

    private ApiError? AddMessage(Item item)
    {
        ReadOnlyMemory<byte> role = default;
        ReadOnlyMemory<byte> content = default;
        foreach (var member in JsonView.Members(item.Json))
        {
            if (member.Is("role"u8))
            {
                role = member.Value;
            }
            else if (member.Is("content"u8))
            {
                content = member.Value;
            }
        }

        if (JsonView.TextEquals(role, "assistant"u8))
        {
            AddAssistantText(content);
            return null;
        }

        EndTurn();
        if (JsonView.TextEquals(role, "user"u8))
        {
            var message = new Message(MessageRole.User);
            return AddInput(item, message.Content, content, textOnly: false) ?? Append(message);
        }

        var isDeveloper = JsonView.TextEquals(role, "developer"u8) && _profile.DeveloperRole == DeveloperRole.Keep;
        return AddSystem(item, content, isDeveloper);
    }

    /// <summary>A system or developer message: into the leading one, or in place where the profile can have it.</summary>
    private ApiError? AddSystem(Item item, ReadOnlyMemory<byte> content, bool isDeveloper)
    {
        if (isDeveloper)
        {
            var developer = new Message(MessageRole.Developer);
            return AddInput(item, developer.Content, content, textOnly: true) ?? Append(developer);
        }

        if (_messages.Count == 0 || _profile.SystemMerge == SystemMerge.All || (_profile.SystemMerge == SystemMerge.Keep && _profile.NoSystemRole))
        {
            return AddInput(item, _system.Content, content, textOnly: true);
        }

        if (_profile.SystemMerge == SystemMerge.Keep)
        {
            var system = new Message(MessageRole.System);
            return AddInput(item, system.Content, content, textOnly: true) ?? Append(system);
        }

        var marked = new Message(MessageRole.User);
        marked.Content.Add(new MessagePart(MessagePartKind.Text, SystemMark));
        var text = new List<MessagePart>();
        var error = AddInput(item, text, content, textOnly: true);
        marked.Content.AddRange(text);
        return error ?? Append(marked);
    }

    private ApiError? AddInput(Item item, List<MessagePart> content, ReadOnlyMemory<byte> value, bool textOnly)
    {
        // Lines within a message, blank lines between the messages that are joined into the system text.
        var separator = content == _system.Content ? MessageContent.BlankLine : MessageContent.LineBreak;
        return _content.AddInput(content, value, textOnly, separator, out var badPart) is { } reason
            ? ApiError.UnsupportedValue(PathOf(item, badPart), reason)
            : null;
    }

    /// <summary>Where a part stands in the request; <c>input</c> when the item comes from the chain.</summary>
    private string PathOf(Item item, int part)
    {
        var input = _chat.Request.Input;
        for (var i = 0; i < input.Count; i++)
        {
            if (input[i].Json.Equals(item.Json))
            {
                return $"input[{i}].content[{part}]";
            }
        }

        return "input";
    }

    private void AddAgentMessage(Item item)
    {
        var message = new Message(MessageRole.User);
        foreach (var member in JsonView.Members(item.Json))
        {
            if (member.Is("content"u8) || member.Is("text"u8))
            {
                MessageContent.AddTexts(message.Content, member.Value);
            }
        }

        if (message.HasContent)
        {
            Append(message);
        }
    }

    /// <summary>Adds a finished message, joined with the one before it where the profile wants roles to alternate.</summary>
    private ApiError? Append(Message message)
    {
        if (_profile.AlternateRoles && _messages.Count > 0)
        {
            var last = _messages[^1];
            if (last.Role == message.Role && message.Role is MessageRole.User or MessageRole.Assistant && last.Calls is null)
            {
                if (last.HasContent && message.HasContent)
                {
                    last.Content.Add(new MessagePart(MessagePartKind.Separator, MessageContent.BlankLine));
                }

                last.Content.AddRange(message.Content);
                last.Calls = message.Calls;
                last.Reasoning ??= message.Reasoning;
                return null;
            }
        }

        _messages.Add(message);
        return null;
    }

    private void PlaceSystem()
    {
        if (!_system.HasContent)
        {
            return;
        }

        if (!_profile.NoSystemRole)
        {
            _messages.Insert(0, _system);
            return;
        }

        var user = _messages.Find(static m => m.Role == MessageRole.User);
        if (user is null)
        {
            user = new Message(MessageRole.User);
            _messages.Insert(0, user);
        }
        else
        {
            user.Content.Insert(0, new MessagePart(MessagePartKind.Separator, MessageContent.BlankLine));
        }

        user.Content.InsertRange(0, _system.Content);
    }
}
