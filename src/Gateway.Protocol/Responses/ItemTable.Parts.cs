using System.Text;

namespace Gateway.Protocol.Responses;

public static partial class ItemTable
{
    private static readonly string[] Details = ["auto", "low", "high", "original"];
    private static readonly string[] AudioFormats = ["mp3", "wav"];

    private static readonly MemberRule PartType = new("type", Text, Required: true);
    private static readonly MemberRule[] NoMembers = [];

    private static readonly MemberRule[] AudioMembers =
        [new("data", Text, Required: true), new("format", Text, Required: true, CheckAudioFormat)];

    private static readonly PartRow[] PartRows =
    [
        new("input_text", PartPlaces.Input | PartPlaces.Assistant | PartPlaces.ToolOutput, [PartType, new("text", Text, Required: true)]),
        new("output_text", PartPlaces.Assistant,
            [PartType, new("text", Text, Required: true), new("annotations", ArrayOrNull), new("logprobs", ArrayOrNull)]),
        new("input_image", PartPlaces.Input | PartPlaces.ToolOutput,
            [PartType, new("image_url", TextOrNull, Check: CheckUrl), new("file_id", TextOrNull), new("detail", TextOrNull, Check: CheckDetail)])
        { OneOf = ["image_url"u8.ToArray(), "file_id"u8.ToArray()] },
        new("input_file", PartPlaces.Input | PartPlaces.ToolOutput,
            [
                PartType, new("file_data", TextOrNull), new("file_url", TextOrNull, Check: CheckUrl), new("file_id", TextOrNull),
                new("filename", TextOrNull), new("detail", TextOrNull),
            ])
        { OneOf = ["file_data"u8.ToArray(), "file_url"u8.ToArray(), "file_id"u8.ToArray()] },
        new("input_audio", PartPlaces.Input, [PartType, new("input_audio", JsonShapes.Object, Required: true, CheckAudio)]),
        new("input_video", PartPlaces.Input, [PartType, new("video_url", Text, Required: true, CheckUrl)]),
        new("refusal", PartPlaces.Assistant, [PartType, new("refusal", Text, Required: true)]),
        new("summary_text", PartPlaces.Summary, [PartType, new("text", Text, Required: true)]),
        new("reasoning_text", PartPlaces.Reasoning, [PartType, new("text", Text, Required: true)]),
        new("text", PartPlaces.Reasoning, [PartType, new("text", Text, Required: true)]),
    ];

    private static ApiError? CheckParts(ReadOnlyMemory<byte> value, string path, PartPlaces place, int maxParts)
    {
        if (!JsonView.IsArray(value))
        {
            return null;
        }

        var index = 0;
        foreach (var part in JsonView.Elements(value))
        {
            if (index == maxParts)
            {
                return ApiError.ArrayTooLong(path, maxParts, index + 1);
            }

            if (CheckPart(part, $"{path}[{index}]", place) is { } error)
            {
                return error;
            }

            index++;
        }

        return null;
    }

    private static ApiError? CheckPart(ReadOnlyMemory<byte> part, string path, PartPlaces place)
    {
        if (!JsonView.IsObject(part))
        {
            return ApiError.InvalidType(path, "an object", JsonView.Describe(part));
        }

        var type = JsonView.Member(part, "type"u8);
        if (type.IsEmpty)
        {
            return ApiError.MissingParameter($"{path}.type");
        }

        if (!JsonView.IsString(type))
        {
            return ApiError.InvalidType($"{path}.type", "a string", JsonView.Describe(type));
        }

        foreach (var row in PartRows)
        {
            if ((row.Places & place) != 0 && JsonView.TextEquals(type, row.TypeUtf8))
            {
                return CheckMembers(part, path, row.Members, NoMembers) ?? CheckOneOf(part, path, row.OneOf);
            }
        }

        return ApiError.InvalidEnum($"{path}.type", JsonView.Text(type) ?? "", PartRows.Where(r => (r.Places & place) != 0).Select(r => r.Type));
    }

    private static ApiError? CheckOneOf(ReadOnlyMemory<byte> part, string path, byte[][] names)
    {
        if (names.Length == 0)
        {
            return null;
        }

        foreach (var member in JsonView.Members(part))
        {
            foreach (var name in names)
            {
                if (JsonView.IsString(member.Value) && member.Is(name))
                {
                    return null;
                }
            }
        }

        return ApiError.MissingParameter($"{path}.{Encoding.UTF8.GetString(names[0])}");
    }

    private static ApiError? CheckAudio(ReadOnlyMemory<byte> value, string path) => CheckMembers(value, path, AudioMembers, NoMembers);

    private static ApiError? CheckAudioFormat(ReadOnlyMemory<byte> value, string path) => CheckEnum(value, path, AudioFormats);

    private static ApiError? CheckDetail(ReadOnlyMemory<byte> value, string path) => CheckEnum(value, path, Details);

    private static ApiError? CheckUrl(ReadOnlyMemory<byte> value, string path)
    {
        var url = JsonView.Unescape(JsonView.Inner(value)).Span;
        return StartsWith(url, "data:"u8) || StartsWith(url, "https://"u8) || StartsWith(url, "http://"u8)
            ? null
            : ApiError.InvalidValue(path, $"Invalid '{path}'. Expected a valid URL, but got a value with an invalid format.");
    }

    private static bool StartsWith(ReadOnlySpan<byte> text, ReadOnlySpan<byte> prefix) =>
        text.Length >= prefix.Length && Ascii.EqualsIgnoreCase(text[..prefix.Length], prefix);

    /// <summary>One type of content part.</summary>
    private sealed record PartRow(string Type, PartPlaces Places, MemberRule[] Members)
    {
        public byte[] TypeUtf8 { get; } = Encoding.UTF8.GetBytes(Type);

        /// <summary>At least one of these must be a string.</summary>
        public byte[][] OneOf { get; init; } = [];
    }
}
