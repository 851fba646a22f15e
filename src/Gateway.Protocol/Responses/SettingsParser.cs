using System.Collections.Frozen;

namespace Gateway.Protocol.Responses;

/// <summary>The members of <c>reasoning</c>; null where not sent.</summary>
internal sealed record ReasoningSettings(string? Effort, string? Summary, string? Context, string? Mode);

/// <summary>The members of <c>text</c>.</summary>
/// <param name="FormatJson">The format as it came; empty when absent.</param>
/// <param name="Format">The format.</param>
/// <param name="Verbosity">low, medium, high or null.</param>
internal sealed record TextSettings(ReadOnlyMemory<byte> FormatJson, TextFormat Format, string? Verbosity);

/// <summary>Reads <c>reasoning</c> and <c>text</c>, which requests and <c>configuration_update</c> items share.</summary>
internal static class SettingsParser
{
    public static readonly string[] Efforts = ["none", "minimal", "low", "medium", "high", "xhigh", "max"];

    private static readonly string[] Levels = ["low", "medium", "high"];
    private static readonly string[] Summaries = ["auto", "concise", "detailed"];
    private static readonly string[] Contexts = ["auto", "current_turn", "all_turns"];
    private static readonly string[] FormatTypes = ["text", "json_object", "json_schema"];

    private static readonly FrozenSet<string> ReasoningKnown =
        FrozenSet.Create(StringComparer.Ordinal, "effort", "summary", "generate_summary", "context", "mode");

    private static readonly FrozenSet<string> TextKnown = FrozenSet.Create(StringComparer.Ordinal, "format", "verbosity");

    private static readonly FrozenSet<string> FormatKnown =
        FrozenSet.Create(StringComparer.Ordinal, "type", "name", "description", "schema", "strict");

    public static ReasoningSettings ReadReasoning(RequestMembers parent, string name)
    {
        var members = parent.Object(name, ReasoningKnown);
        return members is null ? new ReasoningSettings(null, null, null, null) : ReadReasoning(members);
    }

    public static TextSettings ReadText(RequestMembers parent, string name)
    {
        var members = parent.Object(name, TextKnown);
        return members is null ? new TextSettings(default, TextFormat.Text, null) : ReadText(members);
    }

    /// <summary>Reads the <c>reasoning</c> of an item that was checked.</summary>
    public static ReasoningSettings ReadReasoning(ReadOnlyMemory<byte> json) => ReadReasoning(RequestMembers.ReadObject(json, "", ReasoningKnown));

    /// <summary>Reads the <c>text</c> of an item that was checked.</summary>
    public static TextSettings ReadText(ReadOnlyMemory<byte> json) => ReadText(RequestMembers.ReadObject(json, "", TextKnown));

    public static ApiError? CheckReasoning(ReadOnlyMemory<byte> json, string path)
    {
        var members = RequestMembers.ReadObject(json, path, ReasoningKnown);
        ReadReasoning(members);
        return members.Error;
    }

    public static ApiError? CheckText(ReadOnlyMemory<byte> json, string path)
    {
        var members = RequestMembers.ReadObject(json, path, TextKnown);
        ReadText(members);
        return members.Error;
    }

    private static ReasoningSettings ReadReasoning(RequestMembers members)
    {
        var oldSummary = members.Enum("generate_summary", Summaries);
        return new ReasoningSettings(
            members.Enum("effort", Efforts),
            members.Enum("summary", Summaries) ?? oldSummary,
            members.Enum("context", Contexts),
            members.String("mode", maxLength: 64));
    }

    private static TextSettings ReadText(RequestMembers members)
    {
        var format = members.Object("format", FormatKnown);
        return new TextSettings(members.Raw("format"), format is null ? TextFormat.Text : ReadFormat(format), members.Enum("verbosity", Levels));
    }

    private static TextFormat ReadFormat(RequestMembers members)
    {
        var type = members.Enum("type", FormatTypes);
        switch (type)
        {
            case null:
                members.Fail(ApiError.MissingParameter(members.PathOf("type")));
                return TextFormat.Text;
            case "json_object":
                return new TextFormat(TextFormatKind.JsonObject, null, null, default, null);
            case "json_schema":
                break;
            default:
                return TextFormat.Text;
        }

        var name = members.String("name");
        var schema = members.RawObject("schema");
        if (name is null || schema.IsEmpty)
        {
            members.Fail(ApiError.MissingParameter(members.PathOf(name is null ? "name" : "schema")));
        }
        else
        {
            members.Fail(ToolNames.Check(name, members.PathOf("name")));
        }

        return new TextFormat(TextFormatKind.JsonSchema, name, members.String("description"), RequestParser.CompactSchema(schema), members.Bool("strict"));
    }
}
