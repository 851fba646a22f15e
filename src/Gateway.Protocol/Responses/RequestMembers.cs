using System.Collections.Frozen;
using System.Globalization;
using System.Text.Json;

namespace Gateway.Protocol.Responses;

/// <summary>
/// The known members of one JSON object of a request, read by name and checked on the way. The first broken rule is kept in
/// <see cref="Error"/>, shared with the objects inside; null means absent everywhere. Unknown members are skipped.
/// </summary>
internal sealed class RequestMembers
{
    private readonly Dictionary<string, ReadOnlyMemory<byte>> _values = new(StringComparer.Ordinal);
    private readonly string _path;
    private readonly RequestMembers _root;
    private ApiError? _error;

    private RequestMembers(string path, RequestMembers? root)
    {
        _path = path;
        _root = root ?? this;
    }

    public ApiError? Error => _root._error;

    /// <summary>The first member that is not known, or null.</summary>
    public string? FirstUnknown { get; private set; }

    /// <summary>Reads a whole document. Throws <see cref="JsonException"/> when it is not well-formed.</summary>
    public static RequestMembers ReadDocument(ReadOnlyMemory<byte> body, FrozenSet<string> known, int maxDepth)
    {
        var members = new RequestMembers("", null);
        var reader = new Utf8JsonReader(body.Span, new JsonReaderOptions { MaxDepth = maxDepth });
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            members.Fail(ApiError.NotJson("Expected a JSON object."));
        }
        else
        {
            members.ReadMembers(ref reader, body, known);
        }

        // Text behind the document is found only by reading on.
        reader.Read();
        return members;
    }

    /// <summary>Reads an object that stands alone, such as a tool. <paramref name="path"/> names it in errors.</summary>
    public static RequestMembers ReadObject(ReadOnlyMemory<byte> json, string path, FrozenSet<string> known) => Read(json, path, null, known);

    public void Fail(ApiError? error) => _root._error ??= error;

    public string PathOf(string name) => _path.Length == 0 ? name : $"{_path}.{name}";

    /// <summary>The value as it came; empty when absent.</summary>
    public ReadOnlyMemory<byte> Raw(string name) => _values.GetValueOrDefault(name);

    /// <summary>The member is there and not null.</summary>
    public bool Has(string name) => Raw(name).Length > 0;

    /// <summary>The member is there, be it null.</summary>
    public bool IsGiven(string name) => _values.ContainsKey(name);

    public string? String(string name, int maxLength = int.MaxValue)
    {
        var value = Expect(name, JsonView.IsString, "a string");
        if (value.IsEmpty)
        {
            return null;
        }

        var text = JsonView.Text(value) ?? "";
        if (text.Length > maxLength && CharCount(text) > maxLength)
        {
            Fail(ApiError.StringTooLong(PathOf(name), maxLength, CharCount(text)));
        }

        return text;
    }

    /// <summary>A string that is one of <paramref name="supported"/>.</summary>
    public string? Enum(string name, IReadOnlyList<string> supported)
    {
        var text = String(name);
        if (text is not null && !supported.Contains(text))
        {
            Fail(ApiError.InvalidEnum(PathOf(name), text, supported));
        }

        return text;
    }

    public bool? Bool(string name)
    {
        var value = Expect(name, static v => v.Span[0] is (byte)'t' or (byte)'f', "a boolean");
        return value.IsEmpty ? null : value.Span[0] == (byte)'t';
    }

    public int? Integer(string name, int min, int max)
    {
        var value = Expect(name, static v => IsNumber(v) && !v.Span.ContainsAny(".eE"u8), "an integer");
        if (value.IsEmpty)
        {
            return null;
        }

        var digits = value.Span;
        var reader = new Utf8JsonReader(digits);
        reader.Read();
        var fits = reader.TryGetInt64(out var number);
        if (fits ? number < min : digits[0] == (byte)'-')
        {
            Fail(ApiError.IntegerBelowMin(PathOf(name), min, ShortNumber(value)));
            return null;
        }

        if (!fits || number > max)
        {
            Fail(ApiError.IntegerAboveMax(PathOf(name), max, ShortNumber(value)));
            return null;
        }

        return (int)number;
    }

    public double? Decimal(string name, double min, double max)
    {
        var value = Expect(name, IsNumber, "a decimal");
        if (value.IsEmpty)
        {
            return null;
        }

        var number = double.Parse(value.Span, NumberStyles.Float, CultureInfo.InvariantCulture);
        if (number < min)
        {
            Fail(ApiError.DecimalBelowMin(PathOf(name), min, ShortNumber(value)));
        }
        else if (number > max)
        {
            Fail(ApiError.DecimalAboveMax(PathOf(name), max, ShortNumber(value)));
        }

        return number;
    }

    /// <summary>The object as it came; empty when absent.</summary>
    public ReadOnlyMemory<byte> RawObject(string name) => Expect(name, JsonView.IsObject, "an object");

    /// <summary>The array as it came; empty when absent.</summary>
    public ReadOnlyMemory<byte> RawArray(string name, string expected = "an array") => Expect(name, JsonView.IsArray, expected);

    /// <summary>The members of an object inside this one, or null when absent.</summary>
    public RequestMembers? Object(string name, FrozenSet<string> known)
    {
        var value = RawObject(name);
        return value.IsEmpty ? null : Read(value, PathOf(name), _root, known);
    }

    /// <summary>Characters as the API counts them: code points, not UTF-16 units.</summary>
    private static int CharCount(string text)
    {
        var count = 0;
        foreach (var c in text)
        {
            count += char.IsLowSurrogate(c) ? 0 : 1;
        }

        return count;
    }

    private static bool IsNumber(ReadOnlyMemory<byte> value) => value.Span[0] is (byte)'-' or (>= (byte)'0' and <= (byte)'9');

    private static string ShortNumber(ReadOnlyMemory<byte> value) =>
        value.Length <= 40 ? System.Text.Encoding.UTF8.GetString(value.Span) : System.Text.Encoding.UTF8.GetString(value.Span[..40]) + "…";

    private static RequestMembers Read(ReadOnlyMemory<byte> json, string path, RequestMembers? root, FrozenSet<string> known)
    {
        var members = new RequestMembers(path, root);
        var reader = new Utf8JsonReader(json.Span, new JsonReaderOptions { MaxDepth = JsonView.MaxDepth });
        reader.Read();
        members.ReadMembers(ref reader, json, known);
        return members;
    }

    private void ReadMembers(ref Utf8JsonReader reader, ReadOnlyMemory<byte> json, FrozenSet<string> known)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString() ?? "";
            reader.Read();
            var start = (int)reader.TokenStartIndex;
            var isNull = reader.TokenType == JsonTokenType.Null;
            reader.Skip();
            if (!known.Contains(name))
            {
                FirstUnknown ??= name;
            }
            else if (!_values.TryAdd(name, isNull ? default : json[start..(int)reader.BytesConsumed]))
            {
                Fail(ApiError.InvalidValue(PathOf(name), $"Duplicate parameter: '{PathOf(name)}' is given more than once."));
            }
        }
    }

    private ReadOnlyMemory<byte> Expect(string name, Predicate<ReadOnlyMemory<byte>> isExpected, string expected)
    {
        var value = Raw(name);
        if (value.IsEmpty || isExpected(value))
        {
            return value;
        }

        Fail(ApiError.InvalidType(PathOf(name), expected, JsonView.Describe(value)));
        return default;
    }
}
