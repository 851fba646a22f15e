using System.Collections.Frozen;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Gateway.Protocol.Responses;

/// <summary>
/// Reads the body of <c>POST /v1/responses</c>. Whatever the bytes are, the outcome is a request that keeps every rule of the contract or
/// the catalogue's error for the first rule that is broken; never an exception.
/// </summary>
public static partial class RequestParser
{
    private const int MinCompactThreshold = 1000;
    private const int MaxMetadataPairs = 16;
    private const int MaxMetadataKeyChars = 64;
    private const int MaxMetadataValueChars = 512;

    /// <summary>Parses and validates a body.</summary>
    /// <param name="body">
    /// The body as it was received. The request keeps slices of it: it must stay unchanged as long as the request, or an item of it, is used.
    /// </param>
    /// <param name="rules">Limits and switches.</param>
    /// <param name="request">The request when the result is null.</param>
    /// <returns>The error to answer with, or null.</returns>
    public static ApiError? Parse(ReadOnlyMemory<byte> body, RequestRules rules, out ResponsesRequest? request)
    {
        ArgumentNullException.ThrowIfNull(rules);
        return ReadBody(body, RequestFields.Known, rules, Read, out request);
    }

    /// <summary>Reads a body's members, and what they say with <paramref name="read"/>; the first broken rule of either is the error.</summary>
    private static ApiError? ReadBody<T>(
        ReadOnlyMemory<byte> body, FrozenSet<string> known, RequestRules rules, Func<RequestMembers, RequestRules, T> read, out T? request)
        where T : class
    {
        request = null;
        if (Normalize(ref body, rules.MaxDepth) is { } notText)
        {
            return notText;
        }

        RequestMembers members;
        try
        {
            members = RequestMembers.ReadDocument(body, known, rules.MaxDepth);
        }
        catch (JsonException e)
        {
            return NotJson(e, rules.MaxDepth);
        }

        if (members.Error is not null)
        {
            return members.Error;
        }

        if (rules.StrictParameters && members.FirstUnknown is { } unknown)
        {
            return ApiError.Invalid("unknown_parameter", Shorten(unknown), $"Unknown parameter: '{Shorten(unknown)}'.");
        }

        var parsed = read(members, rules);
        if (members.Error is not null)
        {
            return members.Error;
        }

        request = parsed;
        return null;
    }

    private static ApiError NotJson(JsonException e, int maxDepth) =>
        ApiError.NotJson($"It is malformed, or nested deeper than {maxDepth} levels, at line {e.LineNumber + 1}, byte {e.BytePositionInLine}.");

    private static string Shorten(string text) => text.Length <= 128 ? text : text[..128] + "…";

    /// <summary>Reads every member. Errors gather in <paramref name="members"/>, where the first one wins.</summary>
    private static ResponsesRequest Read(RequestMembers members, RequestRules rules)
    {
        RejectUnserved(members);
        var previous = ReadPreviousResponseId(members);
        var conversation = ReadConversation(members, rules);
        var input = ReadInput(members, rules, hasContext: previous is not null || conversation is not null || rules.AllOptional);
        var tools = ReadTools(members, rules, input, out var parser, out var choice);
        var reasoning = SettingsParser.ReadReasoning(members, "reasoning");
        var text = SettingsParser.ReadText(members, "text");
        CheckMetadata(members);
        CheckContextManagement(members);
        var stream = members.Bool("stream") ?? false;
        return new ResponsesRequest
        {
            Model = ReadModel(members, required: previous is null && !rules.AllOptional),
            Input = input,
            HasInput = members.Has("input"),
            Instructions = members.String("instructions"),
            PreviousResponseId = previous,
            ConversationId = conversation,
            Store = members.Bool("store") ?? true,
            Background = members.Bool("background") ?? false,
            Stream = stream,
            IncludeObfuscation = ReadObfuscation(members, stream),
            Include = ReadInclude(members),
            Metadata = members.Raw("metadata"),
            MaxOutputTokens = members.Integer("max_output_tokens", rules.MinOutputTokens, int.MaxValue),
            MaxToolCalls = members.Integer("max_tool_calls", 1, int.MaxValue),
            Temperature = members.Decimal("temperature", 0, 2),
            TopP = members.Decimal("top_p", 0, 1),
            PresencePenalty = members.Decimal("presence_penalty", -2, 2),
            FrequencyPenalty = members.Decimal("frequency_penalty", -2, 2),
            TopLogprobs = members.Integer("top_logprobs", 0, 20),
            ParallelToolCalls = members.Bool("parallel_tool_calls"),
            TextFormatJson = text.FormatJson,
            TextFormat = text.Format,
            Verbosity = text.Verbosity,
            ReasoningEffort = reasoning.Effort,
            ReasoningSummary = reasoning.Summary,
            ReasoningContext = reasoning.Context,
            ReasoningMode = reasoning.Mode,
            TruncationAuto = members.Enum("truncation", RequestFields.Truncations) == "auto",
            ToolsJson = parser.Echo(),
            Tools = tools,
            Servers = parser.Servers,
            ToolChoiceJson = members.Raw("tool_choice"),
            ToolChoice = choice,
            ServiceTier = members.Enum("service_tier", RequestFields.ServiceTiers),
            SafetyIdentifier = members.String("safety_identifier", maxLength: 128),
            User = members.String("user"),
            PromptCacheKey = members.String("prompt_cache_key", maxLength: 64),
            PromptCacheOptions = members.RawObject("prompt_cache_options"),
            PromptCacheRetention = members.Enum("prompt_cache_retention", RequestFields.CacheRetentions),
            Generate = members.Bool("generate") ?? true,
            ExtraParameters = ReadExtras(members),
        };
    }

    /// <summary>
    /// The one place for parameters that this gateway does not serve yet. Rules between two parameters come first: they hold whether or not
    /// the parameters are served.
    /// </summary>
    private static void RejectUnserved(RequestMembers members)
    {
        if (members.Has("previous_response_id") && members.Has("conversation"))
        {
            members.Fail(ApiError.Invalid(
                "mutually_exclusive_parameters", "previous_response_id",
                "Mutually exclusive parameters: 'previous_response_id' and 'conversation'. Ensure you are only providing one of them."));
        }

        if (members.Bool("background") == true && members.Bool("store") == false)
        {
            members.Fail(ApiError.UnsupportedValue("store", "Background mode requires store to be true."));
        }

        foreach (var name in RequestFields.Unserved)
        {
            if (members.Has(name))
            {
                members.Fail(NotServed(name));
            }
        }
    }

    private static ApiError NotServed(string name) => ApiError.UnsupportedParameter(name, "is not supported by this gateway.");

    private static string? ReadModel(RequestMembers members, bool required)
    {
        var model = members.String("model", maxLength: 512);
        if (string.IsNullOrEmpty(model) && required)
        {
            members.Fail(ApiError.MissingParameter("model"));
        }

        return model is "" ? null : model;
    }

    private static string? ReadPreviousResponseId(RequestMembers members)
    {
        var id = members.String("previous_response_id");
        CheckLegalId(members, "previous_response_id", id);
        return id;
    }

    private static void CheckLegalId(RequestMembers members, string path, string? id)
    {
        if (id is not null && !LegalId().IsMatch(id))
        {
            members.Fail(ApiError.InvalidValue(
                path,
                $"Invalid '{path}': '{Shorten(id)}'. Expected an ID that contains letters, numbers, underscores, or dashes, but this value contained additional characters."));
        }
    }

    private static Item[] ReadInput(RequestMembers members, RequestRules rules, bool hasContext)
    {
        var input = members.Raw("input");
        if (JsonView.IsString(input))
        {
            var text = JsonView.Inner(input);
            if (text.Length > rules.MaxInputChars)
            {
                // Bytes are at least as many as characters: counting is needed only here.
                members.String("input", rules.MaxInputChars);
            }

            if (text.Length > 0)
            {
                return [ItemTable.UserMessage(text.Span)];
            }
        }
        else if (JsonView.IsArray(input))
        {
            return ReadInputItems(members, input, rules, hasContext);
        }
        else if (!input.IsEmpty)
        {
            members.Fail(ApiError.InvalidType("input", "one of a string or an array of objects", JsonView.Describe(input)));
        }

        if (!hasContext)
        {
            members.Fail(ApiError.MissingParameter("input"));
        }

        return [];
    }

    private static Item[] ReadInputItems(RequestMembers members, ReadOnlyMemory<byte> array, RequestRules rules, bool hasContext)
    {
        var items = ReadItems(members, array, "input", rules.MaxItems, rules);
        if (items.Length == 0 && !hasContext)
        {
            members.Fail(ApiError.MissingParameter("input"));
        }
        else if (items.Length > 0 && items[^1].Kind is ItemKind.Program or ItemKind.ProgramOutput)
        {
            var type = ItemTable.Row(items[^1].Kind).Type;
            members.Fail(ApiError.InvalidValue(
                $"input[{items.Length - 1}].type", $"Invalid value: '{type}'. Programmatic tool calling can not be continued by this gateway."));
        }

        return items;
    }

    /// <summary>The checked items of an array; none when one of them, or their number, is against the rules.</summary>
    private static Item[] ReadItems(RequestMembers members, ReadOnlyMemory<byte> array, string name, int most, RequestRules rules)
    {
        var items = new List<Item>();
        foreach (var json in JsonView.Elements(array))
        {
            if (items.Count == most)
            {
                members.Fail(ApiError.ArrayTooLong(name, most, items.Count + 1));
                return [];
            }

            if (ItemTable.TryParse(json, $"{name}[{items.Count}]", rules, out var item) is { } error)
            {
                members.Fail(error);
                return [];
            }

            items.Add(item);
        }

        return [.. items];
    }

    private static IReadOnlyList<Tool> ReadTools(
        RequestMembers members, RequestRules rules, Item[] input, out ToolParser parser, out ToolChoice choice)
    {
        choice = ToolChoice.Auto;
        parser = new ToolParser(rules.MaxTools, rules.ServerTools, echoes: members.Has("tools"));
        if (parser.ReadArray(members.RawArray("tools", "an array of objects"), "tools") is { } error)
        {
            members.Fail(error);
            return [];
        }

        // Tools that the input adds can be named by tool_choice too.
        var tools = ToolNames.WithItems(parser.Tools, input);
        members.Fail(ToolChoiceParser.Parse(members.Raw("tool_choice"), tools, parser, out choice));
        return tools;
    }

    private static Includes ReadInclude(RequestMembers members)
    {
        var includes = Includes.None;
        var index = 0;
        foreach (var value in JsonView.Elements(members.RawArray("include", "an array of strings")))
        {
            var path = $"include[{index++}]";
            if (JsonView.Text(value) is not { } text)
            {
                members.Fail(ApiError.InvalidType(path, "a string", JsonView.Describe(value)));
            }
            else if (RequestFields.IncludeValues.TryGetValue(text, out var include))
            {
                includes |= include;
            }
            else
            {
                members.Fail(ApiError.InvalidEnum(path, text, RequestFields.IncludeValues.Keys));
            }

            if (members.Error is not null)
            {
                break;
            }
        }

        return includes;
    }

    private static bool ReadObfuscation(RequestMembers members, bool stream)
    {
        var options = members.Object("stream_options", RequestFields.StreamOptions);
        if (options is not null && !stream)
        {
            members.Fail(ApiError.InvalidValue("stream_options", "The 'stream_options' parameter is only allowed when 'stream' is enabled."));
        }

        return options?.Bool("include_obfuscation") ?? false;
    }

    private static void CheckMetadata(RequestMembers members)
    {
        var metadata = members.RawObject("metadata");
        var names = new HashSet<string>(StringComparer.Ordinal);
        var count = 0;
        foreach (var pair in JsonView.Members(metadata))
        {
            count++;
            if (count > MaxMetadataPairs)
            {
                continue;
            }

            var name = System.Text.Encoding.UTF8.GetString(JsonView.Unescape(pair.Name.ToArray()).Span);
            if (name.EnumerateRunes().Count() > MaxMetadataKeyChars)
            {
                members.Fail(ApiError.StringTooLong("metadata", MaxMetadataKeyChars, name.EnumerateRunes().Count()));
            }
            else if (!names.Add(name))
            {
                members.Fail(ApiError.InvalidValue($"metadata.{name}", $"Duplicate parameter: 'metadata.{name}' is given more than once."));
            }
            else if (JsonView.Text(pair.Value) is not { } text)
            {
                members.Fail(ApiError.InvalidType($"metadata.{name}", "a string", JsonView.Describe(pair.Value)));
            }
            else if (text.Length > MaxMetadataValueChars && text.EnumerateRunes().Count() > MaxMetadataValueChars)
            {
                members.Fail(ApiError.StringTooLong($"metadata.{name}", MaxMetadataValueChars, text.EnumerateRunes().Count()));
            }
        }

        if (count > MaxMetadataPairs)
        {
            members.Fail(ApiError.ObjectTooLarge("metadata", MaxMetadataPairs, count));
        }
    }

    /// <summary>Checked and then left alone: nothing is compacted until that is served, and a request below its threshold needs nothing.</summary>
    private static void CheckContextManagement(RequestMembers members)
    {
        var index = 0;
        foreach (var json in JsonView.Elements(members.RawArray("context_management", "an array of objects")))
        {
            var path = $"context_management[{index++}]";
            if (!JsonView.IsObject(json))
            {
                members.Fail(ApiError.InvalidType(path, "an object", JsonView.Describe(json)));
                return;
            }

            var entry = RequestMembers.ReadObject(json, path, RequestFields.ContextManagement);
            if (entry.Enum("type", ["compaction"]) is null)
            {
                entry.Fail(ApiError.MissingParameter(entry.PathOf("type")));
            }

            entry.Integer("compact_threshold", MinCompactThreshold, int.MaxValue);
            if (entry.Error is not null)
            {
                members.Fail(entry.Error);
                return;
            }
        }
    }

    private static List<KeyValuePair<string, ReadOnlyMemory<byte>>> ReadExtras(RequestMembers members)
    {
        var extras = new List<KeyValuePair<string, ReadOnlyMemory<byte>>>();
        foreach (var name in RequestFields.Extras)
        {
            var value = members.Raw(name);
            if (!value.IsEmpty)
            {
                extras.Add(new(name, value));
            }
        }

        return extras;
    }

    [GeneratedRegex(@"\A[A-Za-z0-9_-]{1,128}\z", RegexOptions.CultureInvariant)]
    private static partial Regex LegalId();
}
