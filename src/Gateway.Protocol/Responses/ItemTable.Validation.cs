namespace Gateway.Protocol.Responses;

public static partial class ItemTable
{
    private static readonly string[] Roles = ["assistant", "system", "developer", "user"];
    private const int MaxIdLength = 128;
    private static readonly string[] Phases = ["commentary", "final_answer"];

    /// <summary>
    /// Checks an item of a request. <paramref name="json"/> must be well-formed JSON and stay unchanged as long as the item lives;
    /// <paramref name="path"/> (<c>input[0]</c>) names it in errors.
    /// </summary>
    public static ApiError? TryParse(ReadOnlyMemory<byte> json, string path, out Item item) =>
        TryParse(json, path, RequestRules.Default, out item);

    internal static ApiError? TryParse(ReadOnlyMemory<byte> json, string path, RequestRules rules, out Item item)
    {
        item = default;
        if (!JsonView.IsObject(json))
        {
            return ApiError.InvalidType(path, "an object", JsonView.Describe(json));
        }

        if (FindRequestRow(json, path, out var row) is { } unknown)
        {
            return unknown;
        }

        if (row.Rejected)
        {
            return ApiError.InvalidValue($"{path}.type", $"Invalid value: '{row.Type}'. Items of this type are not supported by this gateway.");
        }

        if (CheckMembers(json, path, row.Members, CommonMembers) is { } error)
        {
            return error;
        }

        if (row.Kind == ItemKind.Message && CheckMessageContent(json, path, rules) is { } badContent)
        {
            return badContent;
        }

        item = View(json);
        return null;
    }

    /// <summary>Finds the row by <c>type</c>; without one, an object with a role is a message and one with only an id a reference.</summary>
    private static ApiError? FindRequestRow(ReadOnlyMemory<byte> json, string path, out ItemRow row)
    {
        row = Row(ItemKind.Unknown);
        var hasRole = false;
        var hasId = false;
        var others = 0;
        foreach (var member in JsonView.Members(json))
        {
            if (member.Is("type"u8))
            {
                if (JsonView.IsNull(member.Value))
                {
                    continue;
                }

                if (!JsonView.IsString(member.Value))
                {
                    return ApiError.InvalidType($"{path}.type", "a string", JsonView.Describe(member.Value));
                }

                if (FindRow(member.Value) is { } found)
                {
                    row = found;
                    return null;
                }

                return ApiError.InvalidEnum($"{path}.type", JsonView.Text(member.Value) ?? "", SupportedTypes);
            }

            hasRole |= member.Is("role"u8);
            if (member.Is("id"u8))
            {
                hasId = true;
            }
            else
            {
                others++;
            }
        }

        if (!hasRole && !(hasId && others == 0))
        {
            return ApiError.MissingParameter($"{path}.type");
        }

        row = Row(hasRole ? ItemKind.Message : ItemKind.ItemReference);
        return null;
    }

    /// <summary>Checks the members of an object against the rules for it: types, further checks, duplicates, and what is missing.</summary>
    private static ApiError? CheckMembers(ReadOnlyMemory<byte> json, string path, MemberRule[] rules, MemberRule[] common)
    {
        // A bit per rule: which members have been seen, and which of them count as present.
        uint seen = 0;
        uint present = 0;
        foreach (var member in JsonView.Members(json))
        {
            var index = IndexOf(rules, common, member);
            if (index < 0)
            {
                continue;
            }

            var rule = index < rules.Length ? rules[index] : common[index - rules.Length];
            if ((seen & (1u << index)) != 0)
            {
                return ApiError.InvalidValue($"{path}.{rule.Name}", $"Duplicate parameter: '{path}.{rule.Name}' is given more than once.");
            }

            seen |= 1u << index;
            var shape = ShapeOf(member.Value);
            if (shape == JsonShapes.Null && (!rule.Required || (rule.Shapes & JsonShapes.Null) == 0))
            {
                continue;
            }

            if ((shape & rule.Shapes) == 0)
            {
                return ApiError.InvalidType($"{path}.{rule.Name}", DescribeShapes(rule.Shapes), JsonView.Describe(member.Value));
            }

            present |= 1u << index;
            if (shape != JsonShapes.Null && rule.Check?.Invoke(member.Value, $"{path}.{rule.Name}") is { } error)
            {
                return error;
            }
        }

        for (var i = 0; i < rules.Length; i++)
        {
            if (rules[i].Required && (present & (1u << i)) == 0)
            {
                return ApiError.MissingParameter($"{path}.{rules[i].Name}");
            }
        }

        return null;
    }

    private static int IndexOf(MemberRule[] rules, MemberRule[] common, JsonView.MemberView member)
    {
        for (var i = 0; i < rules.Length; i++)
        {
            if (member.Is(rules[i].NameUtf8))
            {
                return i;
            }
        }

        for (var i = 0; i < common.Length; i++)
        {
            if (member.Is(common[i].NameUtf8))
            {
                return rules.Length + i;
            }
        }

        return -1;
    }

    private static ApiError? CheckMessageContent(ReadOnlyMemory<byte> json, string path, RequestRules rules)
    {
        var content = JsonView.Member(json, "content"u8);
        if (!JsonView.IsArray(content))
        {
            return null;
        }

        var place = JsonView.TextEquals(JsonView.Member(json, "role"u8), "assistant"u8) ? PartPlaces.Assistant : PartPlaces.Input;
        return CheckParts(content, $"{path}.content", place, rules.MaxContentParts);
    }

    private static ApiError? CheckRole(ReadOnlyMemory<byte> value, string path) => CheckEnum(value, path, Roles);

    private static ApiError? CheckPhase(ReadOnlyMemory<byte> value, string path) => CheckEnum(value, path, Phases);

    private static ApiError? CheckToolOutput(ReadOnlyMemory<byte> value, string path) =>
        CheckParts(value, path, PartPlaces.ToolOutput, RequestRules.Default.MaxContentParts);

    private static ApiError? CheckSummary(ReadOnlyMemory<byte> value, string path) =>
        CheckParts(value, path, PartPlaces.Summary, RequestRules.Default.MaxContentParts);

    private static ApiError? CheckReasoning(ReadOnlyMemory<byte> value, string path) =>
        CheckParts(value, path, PartPlaces.Reasoning, RequestRules.Default.MaxContentParts);

    private static ApiError? CheckTools(ReadOnlyMemory<byte> value, string path) => new ToolParser(RequestRules.Default.MaxTools).ReadArray(value, path);

    private static ApiError? CheckReasoningSettings(ReadOnlyMemory<byte> value, string path) => SettingsParser.CheckReasoning(value, path);

    private static ApiError? CheckTextSettings(ReadOnlyMemory<byte> value, string path) => SettingsParser.CheckText(value, path);

    private static ApiError? CheckGivenId(ReadOnlyMemory<byte> value, string path) => CheckNotEmpty(value, path) ?? CheckId(value, path);

    /// <summary>Ids of items come back in paths, queries and stored responses: letters, digits, underscores and dashes, not too many.</summary>
    private static ApiError? CheckId(ReadOnlyMemory<byte> value, string path)
    {
        var id = JsonView.Text(value) ?? "";
        foreach (var c in id)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('_' or '-'))
            {
                return ApiError.IllFormedId(path, id);
            }
        }

        return id.Length <= MaxIdLength ? null : ApiError.IllFormedId(path, id);
    }

    private static ApiError? CheckNotEmpty(ReadOnlyMemory<byte> value, string path) =>
        value.Length > 2 ? null : ApiError.InvalidValue(path, $"Invalid '{path}': empty string. Expected a string with minimum length 1.");

    private static ApiError? CheckEnum(ReadOnlyMemory<byte> value, string path, string[] supported)
    {
        var text = JsonView.Text(value) ?? "";
        return supported.Contains(text) ? null : ApiError.InvalidEnum(path, text, supported);
    }

    private static JsonShapes ShapeOf(ReadOnlyMemory<byte> value) => value.Span[0] switch
    {
        (byte)'"' => JsonShapes.String,
        (byte)'{' => JsonShapes.Object,
        (byte)'[' => JsonShapes.Array,
        (byte)'t' or (byte)'f' => JsonShapes.Boolean,
        (byte)'n' => JsonShapes.Null,
        _ => JsonShapes.Number,
    };

    private static string DescribeShapes(JsonShapes shapes) => (shapes & ~JsonShapes.Null) switch
    {
        JsonShapes.String => "a string",
        JsonShapes.Object => "an object",
        JsonShapes.Array => "an array",
        TextOrArray => "one of a string or an array of objects",
        TextOrObject => "one of a string or an object",
        JsonShapes.Number => "a number",
        JsonShapes.Boolean => "a boolean",
        _ => "another type",
    };
}
