using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Translation;

public static partial class ChatRequestWriter
{
    private static ReadOnlySpan<byte> NoParameters => "{\"type\":\"object\",\"properties\":{}}"u8;

    private static ReadOnlySpan<byte> CustomParameters =>
        "{\"type\":\"object\",\"properties\":{\"input\":{\"type\":\"string\",\"description\":\"The input of the tool as plain text.\"}},\"required\":[\"input\"],\"additionalProperties\":false}"u8;

    /// <summary>
    /// The tools that are sent: all of the round's, or only those of them that the choice leaves, where that is how it is enforced. A round may
    /// offer fewer than the choice names.
    /// </summary>
    private static IReadOnlyList<Tool> SentTools(ChatRequest chat)
    {
        var choice = chat.ToolChoice;
        return choice.Only is null || (choice.IsNamed && chat.Profile.NamedToolChoice == NamedToolChoice.Object)
            ? chat.Tools
            : [.. choice.Only.Intersect(chat.Tools)];
    }

    private static void WriteTools(BodyWriter body, ChatRequest chat, ChatSettings settings, bool hasCalls)
    {
        var tools = SentTools(chat);
        if (tools.Count > 0)
        {
            WriteToolList(body, tools, chat.Profile);
            WriteToolChoice(body, chat);
            if (chat.Profile.ParallelToolCalls == Forwarding.Forward && chat.Request.ParallelToolCalls is { } parallel
                && body.Begin("parallel_tool_calls"))
            {
                body.Writer.WriteBooleanValue(parallel);
            }
        }
        else if (chat.Profile.ToolsWithHistory && hasCalls && chat.HistoryTools.Count > 0)
        {
            WriteToolList(body, chat.HistoryTools, chat.Profile);
            WriteText(body, "tool_choice", "none");
        }
    }

    private static void WriteToolList(BodyWriter body, IReadOnlyList<Tool> tools, RouteProfile profile)
    {
        if (!body.Begin("tools"))
        {
            return;
        }

        var writer = body.Writer;
        writer.WriteStartArray();
        foreach (var tool in tools)
        {
            writer.WriteStartObject();
            writer.WriteString("type"u8, "function"u8);
            writer.WriteStartObject("function"u8);
            writer.WriteString("name"u8, tool.UpstreamName);
            if (DescriptionOf(tool) is { } description)
            {
                writer.WriteString("description"u8, description);
            }

            writer.WritePropertyName("parameters"u8);
            writer.WriteRawValue(
                tool.Kind == ToolKind.Custom ? CustomParameters : tool.Parameters.IsEmpty ? NoParameters : tool.Parameters.Span,
                skipInputValidation: true);
            if (tool.Strict is { } strict && profile.StrictFunctions == Forwarding.Forward)
            {
                writer.WriteBoolean("strict"u8, strict);
            }

            writer.WriteEndObject();
            writer.WriteEndObject();
        }

        writer.WriteEndArray();
    }

    /// <summary>The description; a custom tool's tells the grammar too, which no server of the other API can enforce.</summary>
    private static string? DescriptionOf(Tool tool)
    {
        if (!JsonView.TextEquals(JsonView.Member(tool.Format, "type"u8), "grammar"u8))
        {
            return tool.Description;
        }

        var syntax = JsonView.Text(JsonView.Member(tool.Format, "syntax"u8));
        var definition = JsonView.Text(JsonView.Member(tool.Format, "definition"u8));
        var text = new StringBuilder(tool.Description);
        if (text.Length > 0)
        {
            text.Append("\n\n");
        }

        return text.Append("The input must match this ").Append(syntax == "regex" ? "regular expression" : "Lark grammar").Append(":\n").Append(definition).ToString();
    }

    /// <summary><c>auto</c> is what every server does without being told, and some refuse the word.</summary>
    private static void WriteToolChoice(BodyWriter body, ChatRequest chat)
    {
        switch (chat.ToolChoice)
        {
            case { Mode: ToolChoiceMode.None }:
                WriteText(body, "tool_choice", "none");
                break;
            case { IsNamed: true, Only: [var tool, ..] } when chat.Profile.NamedToolChoice == NamedToolChoice.Object:
                if (body.Begin("tool_choice"))
                {
                    body.Writer.WriteStartObject();
                    body.Writer.WriteString("type"u8, "function"u8);
                    body.Writer.WriteStartObject("function"u8);
                    body.Writer.WriteString("name"u8, tool.UpstreamName);
                    body.Writer.WriteEndObject();
                    body.Writer.WriteEndObject();
                }

                break;
            case { Mode: ToolChoiceMode.Required } when chat.Profile.RequiredToolChoice != RequiredToolChoice.Unsupported:
                WriteText(body, "tool_choice", "required");
                break;
        }
    }

    /// <summary>What the gateway asks for in words because the server has no other way: a forced call, a schema.</summary>
    private static string? SystemSuffix(ChatRequest chat, ChatSettings settings)
    {
        var suffix = new StringBuilder();
        var choice = chat.ToolChoice;
        var sendsObject = choice.IsNamed && chat.Profile.NamedToolChoice == NamedToolChoice.Object;
        if (choice.Mode == ToolChoiceMode.Required && !sendsObject && chat.Profile.RequiredToolChoice == RequiredToolChoice.Unsupported
            && SentTools(chat) is { Count: > 0 } tools)
        {
            suffix.Append(choice.IsNamed ? $"You must answer by calling the tool '{tools[0].UpstreamName}'." : "You must answer by calling one of the tools.");
        }

        if (chat.Profile.JsonSchema != JsonSchemaMode.ResponseFormat && settings.Format.Kind == TextFormatKind.JsonSchema && SendsFormat(chat))
        {
            suffix.Append(suffix.Length > 0 ? "\n\n" : "")
                .Append("Answer with a JSON object that matches this JSON schema, and nothing else:\n")
                .Append(Encoding.UTF8.GetString(settings.Format.Schema.Span));
        }
        else if (chat.Profile.JsonSchema == JsonSchemaMode.None && settings.Format.Kind == TextFormatKind.JsonObject && SendsFormat(chat))
        {
            suffix.Append(suffix.Length > 0 ? "\n\n" : "").Append("Answer with a JSON object and nothing else.");
        }

        return suffix.Length > 0 ? suffix.ToString() : null;
    }

    /// <summary>A format is left out while the model may call tools on servers where it would make calls impossible.</summary>
    private static bool SendsFormat(ChatRequest chat) =>
        chat.Profile.JsonSchemaWithTools || chat.ToolChoice.Mode == ToolChoiceMode.None || SentTools(chat).Count == 0;

    private static void WriteFormat(BodyWriter body, ChatRequest chat, ChatSettings settings)
    {
        var format = settings.Format;
        var mode = chat.Profile.JsonSchema;
        if (format.Kind == TextFormatKind.Text || mode == JsonSchemaMode.None || !SendsFormat(chat) || !body.Begin("response_format"))
        {
            return;
        }

        var writer = body.Writer;
        writer.WriteStartObject();
        if (format.Kind == TextFormatKind.JsonObject || mode == JsonSchemaMode.JsonObjectPlusPrompt)
        {
            writer.WriteString("type"u8, "json_object"u8);
        }
        else
        {
            writer.WriteString("type"u8, "json_schema"u8);
            writer.WriteStartObject("json_schema"u8);
            writer.WriteString("name"u8, format.Name);
            if (format.Description is not null)
            {
                writer.WriteString("description"u8, format.Description);
            }

            writer.WritePropertyName("schema"u8);
            writer.WriteRawValue(format.Schema.Span, skipInputValidation: true);
            if (format.Strict is { } strict)
            {
                writer.WriteBoolean("strict"u8, strict);
            }

            writer.WriteEndObject();
        }

        writer.WriteEndObject();
    }
}
