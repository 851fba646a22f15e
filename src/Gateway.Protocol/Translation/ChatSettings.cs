using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

/// <summary>The settings in force for a context: the request's, unless a <c>configuration_update</c> item changed them.</summary>
internal sealed record ChatSettings(string? Effort, TextFormat Format)
{
    public static ChatSettings Of(ChatRequest chat)
    {
        var settings = new ChatSettings(chat.Request.ReasoningEffort, chat.Request.TextFormat);
        for (var i = 0; i < chat.Items.Count; i++)
        {
            if (chat.Items[i].Kind == ItemKind.ConfigurationUpdate)
            {
                settings = settings.With(chat.Items[i]);
            }
        }

        return settings;
    }

    private ChatSettings With(Item update)
    {
        var effort = Effort;
        var format = Format;
        if (JsonView.Member(update.Json, "reasoning"u8) is var reasoning && JsonView.IsObject(reasoning))
        {
            effort = SettingsParser.ReadReasoning(reasoning).Effort ?? effort;
        }

        if (JsonView.Member(update.Json, "text"u8) is var text && JsonView.IsObject(text))
        {
            var read = SettingsParser.ReadText(text);
            format = read.FormatJson.IsEmpty ? format : read.Format;
        }

        return new ChatSettings(effort, format);
    }
}
