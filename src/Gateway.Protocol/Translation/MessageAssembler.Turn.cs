using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>The assistant's side: text, reasoning and calls of one turn, and the outputs behind it.</summary>
internal sealed partial class MessageAssembler
{
    private const int ShortIdLength = 9;
    private const string ShortIdAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    private static readonly ReadOnlyMemory<byte> NoArguments = "{}"u8.ToArray();

    private void AddAssistantText(ReadOnlyMemory<byte> content)
    {
        // Text after the first call belongs to that turn while its calls wait for the client; text after calls that the server answered
        // is the next round's.
        if (_turn is not null && (_turn.Calls is null ? _turn.HasContent : !_turnHasClientCalls))
        {
            EndMessage();
        }

        var message = Turn();
        MessageContent.AddAssistantText(message.Content, content, MessageContent.BlankLine);
        if (message.HasContent)
        {
            TakeReasoning(message);
        }
    }

    private void AddReasoning(int index, Item item)
    {
        if (_turn?.Calls is not null && !_turnHasClientCalls)
        {
            EndMessage();
        }

        if (!_replaysReasoning || index < _replayFrom)
        {
            return;
        }

        var before = _reasoning.Count;
        var content = JsonView.Member(item.Json, "content"u8);
        foreach (var part in JsonView.Elements(content))
        {
            MessageContent.AddText(_reasoning, JsonView.Inner(JsonView.Member(part, "text"u8)), MessageContent.LineBreak);
        }

        if (_reasoning.Count == before
            && JsonView.Text(JsonView.Member(item.Json, "encrypted_content"u8)) is { } blob
            && _chat.OpenSealedReasoning?.Invoke(blob) is { } opened)
        {
            MessageContent.AddText(_reasoning, MessageContent.Escape(opened), MessageContent.LineBreak);
        }
    }

    private void AddCall(int index, Item item)
    {
        // A call without an output was refused at the front, unless its turn was cut: then the model never sees it.
        if (_pairs.PartnerOf(index) < 0)
        {
            return;
        }

        var row = ItemTable.Row(item.Kind);
        ReadOnlyMemory<byte> name = default;
        ReadOnlyMemory<byte> ns = default;
        ReadOnlyMemory<byte> payload = default;
        foreach (var member in JsonView.Members(item.Json))
        {
            if (member.Is("name"u8))
            {
                name = JsonView.Inner(member.Value);
            }
            else if (member.Is("namespace"u8))
            {
                ns = JsonView.Inner(member.Value);
            }
            else if (member.Is("actions"u8) && item.Kind == ItemKind.ComputerCall && payload.IsEmpty)
            {
                payload = member.Value;
            }
            else if (!JsonView.IsNull(member.Value) && member.Is(row.PayloadUtf8))
            {
                payload = member.Value;
            }
        }

        if (row.ToolName is not null)
        {
            name = Encoding.UTF8.GetBytes(row.ToolName);
        }
        else if (!ns.IsEmpty)
        {
            name = FlatName(ns, name);
        }

        var arguments = item.Kind == ItemKind.CustomToolCall ? CustomArguments(payload) : Arguments(payload);
        StartRoundAt(item.CallId);
        _turnHasClientCalls = true;
        AddCall(new MessageCall(index, UpstreamId(item.CallId), name, arguments));
    }

    /// <summary>A call that the gateway ran: the item, or what is kept beside it, holds its outcome too.</summary>
    private void AddServerCall(int index, Item item) => AddServerCall(index, item, item.Id);

    /// <param name="index">The item's index.</param>
    /// <param name="item">The item.</param>
    /// <param name="noteId">The id that the model's call is remembered by.</param>
    private void AddServerCall(int index, Item item, string noteId)
    {
        // The model was cut off in the middle of it: it was not made.
        if (JsonView.Member(item.Json, "status"u8).Span.SequenceEqual("\"incomplete\""u8))
        {
            return;
        }

        StartRoundAt(noteId);
        if (HiddenCallOf(item) is { } hidden)
        {
            AddCall(new MessageCall(index, UpstreamId(noteId), Encoding.UTF8.GetBytes(hidden.Name), MessageContent.Escape(hidden.Arguments)));
            return;
        }

        ReadOnlyMemory<byte> name = default;
        ReadOnlyMemory<byte> label = default;
        ReadOnlyMemory<byte> arguments = default;
        foreach (var member in JsonView.Members(item.Json))
        {
            if (member.Is("name"u8))
            {
                name = JsonView.Inner(member.Value);
            }
            else if (member.Is("server_label"u8))
            {
                label = JsonView.Inner(member.Value);
            }
            else if (member.Is("arguments"u8))
            {
                arguments = member.Value;
            }
        }

        AddCall(new MessageCall(index, UpstreamId(noteId), FlatName(label, name), Arguments(arguments)));
    }

    /// <summary>
    /// A call that waited for the user's word stands where the model made it, whenever it ran. While there is no word the model does not see it.
    /// </summary>
    private void AddApprovalRequest(int index, Item item)
    {
        var run = _serverCalls.RunOf(item.Id);
        if (run >= 0)
        {
            AddServerCall(run, _chat.Items[run], item.Id);
        }
        else if (_serverCalls.IsRefused(item.Id, out _))
        {
            AddServerCall(index, item);
        }
    }

    /// <summary>A call with which a round of the model began stands in a message of its own: those before it were answered before it was made.</summary>
    private void StartRoundAt(string noteId)
    {
        if (_chat.Notes.RoundStarts.Contains(noteId))
        {
            EndMessage();
        }
    }

    private HiddenCall? HiddenCallOf(Item item) => item.HasId ? _chat.Notes.Hidden.GetValueOrDefault(item.Id) : null;

    private void AddCall(MessageCall call)
    {
        var message = Turn();
        (message.Calls ??= []).Add(call);
        _callCount++;
        TakeReasoning(message);
    }

    private Message Turn() => _turn ??= new Message(MessageRole.Assistant);

    private void TakeReasoning(Message message)
    {
        if (_reasoning.Count == 0)
        {
            return;
        }

        if (message.Reasoning is null)
        {
            message.Reasoning = [.. _reasoning];
        }
        else
        {
            message.Reasoning.Add(new MessagePart(MessagePartKind.Separator, MessageContent.LineBreak));
            message.Reasoning.AddRange(_reasoning);
        }

        _reasoning.Clear();
    }

    /// <summary>Something else than the assistant's comes next. Reasoning that led to nothing is dropped.</summary>
    private void EndTurn()
    {
        EndMessage();
        _reasoning.Clear();
    }

    /// <summary>Adds the assistant message that was being gathered, and the outputs of its calls.</summary>
    private void EndMessage()
    {
        if (_turn is not { } message)
        {
            return;
        }

        _turn = null;
        _turnHasClientCalls = false;
        if (message.Calls is null && !message.HasContent)
        {
            return;
        }

        if (_profile.ContentExcludesReasoning && message.Calls is not null && message.HasContent)
        {
            message.Reasoning = null;
        }

        Append(message);
        foreach (var call in message.Calls ?? [])
        {
            AddOutput(call);
        }

        if (_following.Count > 0)
        {
            var user = new Message(MessageRole.User);
            user.Content.AddRange(_following);
            _following.Clear();
            Append(user);
        }
    }

    private void AddOutput(MessageCall call)
    {
        var tool = new Message(MessageRole.Tool) { ToolCallId = call.Id };
        var item = _chat.Items[call.Item];
        if (item.Kind == ItemKind.McpApprovalRequest)
        {
            _serverCalls.IsRefused(item.Id, out var reason);
            var text = reason is null ? "The user declined this tool call." : $"The user declined this tool call: {reason}";
            MessageContent.AddText(tool.Content, MessageContent.Escape(text), MessageContent.LineBreak);
        }
        else if (HiddenCallOf(item) is { } hidden)
        {
            MessageContent.AddText(tool.Content, MessageContent.Escape(hidden.Output), MessageContent.LineBreak);
        }
        else if (item.Kind == ItemKind.McpCall)
        {
            var error = JsonView.Member(item.Json, "error"u8);
            var outcome = error.IsEmpty || JsonView.IsNull(error) ? JsonView.Member(item.Json, "output"u8) : error;
            _content.AddToolOutput(tool.Content, outcome.IsEmpty ? _serverCalls.OutputOf(item.Id) : outcome, _following);
        }
        else
        {
            AddClientOutput(tool.Content, _chat.Items[_pairs.PartnerOf(call.Item)]);
        }

        _messages.Add(tool);
    }

    private void AddClientOutput(List<MessagePart> content, Item output)
    {
        var payload = JsonView.Member(output.Json, ItemTable.Row(output.Kind).PayloadUtf8);
        if (output.Kind == ItemKind.ApplyPatchCallOutput && !JsonView.IsString(payload))
        {
            payload = JsonView.Member(output.Json, "status"u8);
        }

        if (JsonView.IsArray(payload) && output.Kind is not (ItemKind.FunctionCallOutput or ItemKind.CustomToolCallOutput))
        {
            // Shells and the tool search answer with arrays of their own objects: the model reads them as JSON.
            MessageContent.AddText(content, MessageContent.Escape(payload.Span), MessageContent.LineBreak);
            return;
        }

        _content.AddToolOutput(content, payload, _following);
    }

    private static ReadOnlyMemory<byte> FlatName(ReadOnlyMemory<byte> ns, ReadOnlyMemory<byte> name) => Encoding.UTF8.GetBytes(
        ToolNames.Flatten(Encoding.UTF8.GetString(JsonView.Unescape(ns).Span), Encoding.UTF8.GetString(JsonView.Unescape(name).Span)));

    /// <summary>
    /// Arguments as escaped text. Templates parse them as an object, so that anything else, such as the arguments of a call that was cut,
    /// becomes an empty one.
    /// </summary>
    private static ReadOnlyMemory<byte> Arguments(ReadOnlyMemory<byte> value)
    {
        if (!JsonView.IsString(value))
        {
            return JsonView.IsObject(value) ? MessageContent.Escape(value.Span)
                : JsonView.IsArray(value) ? MessageContent.Escape([.. "{\"actions\":"u8, .. value.Span, .. "}"u8])
                : NoArguments;
        }

        var escaped = JsonView.Inner(value);
        return IsObject(JsonView.Unescape(escaped).Span) ? escaped : NoArguments;
    }

    /// <summary>Free text wrapped as the one argument of the function that stands for a custom tool.</summary>
    private static ReadOnlyMemory<byte> CustomArguments(ReadOnlyMemory<byte> value) =>
        MessageContent.Escape([.. "{\"input\":\""u8, .. JsonView.Inner(value).Span, .. "\"}"u8]);

    private static bool IsObject(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = JsonView.MaxDepth });
        try
        {
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    private string UpstreamId(string callId)
    {
        var id = _chat.Notes.UpstreamIds.GetValueOrDefault(callId) ?? callId;
        return _profile.ToolCallId switch
        {
            ToolCallIds.Short9 => IsShort(id) ? id : ShortId(id),
            ToolCallIds.Index => string.Create(CultureInfo.InvariantCulture, $"call_{_callCount}"),
            _ => id,
        };
    }

    private static bool IsShort(string id) => id.Length == ShortIdLength && id.All(char.IsAsciiLetterOrDigit);

    private static string ShortId(string id)
    {
        Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
        SHA256.HashData(Encoding.UTF8.GetBytes(id), hash);
        return string.Create(ShortIdLength, hash[..ShortIdLength].ToArray(), static (text, bytes) =>
        {
            for (var i = 0; i < text.Length; i++)
            {
                text[i] = ShortIdAlphabet[bytes[i] % ShortIdAlphabet.Length];
            }
        });
    }
}
