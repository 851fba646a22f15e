using System.Buffers;
using System.Text.Json;

namespace Gateway.Protocol.Responses;

/// <summary>
/// Walks raw JSON that has been validated already: members of objects and elements of arrays, as slices of the same memory. A slice that is
/// not what is asked for (an object where an array is wanted) has no members and no elements.
/// </summary>
internal static class JsonView
{
    /// <summary>Deeper than any limit on requests, so that what was accepted once can always be read again.</summary>
    public const int MaxDepth = 1024;

    private static readonly JsonReaderOptions Options = new() { MaxDepth = MaxDepth };

    public static MemberEnumerator Members(ReadOnlyMemory<byte> json) => new(json);

    public static ElementEnumerator Elements(ReadOnlyMemory<byte> json) => new(json);

    /// <summary>The value of a member as raw JSON; empty when there is none.</summary>
    public static ReadOnlyMemory<byte> Member(ReadOnlyMemory<byte> json, ReadOnlySpan<byte> name)
    {
        foreach (var member in Members(json))
        {
            if (member.Is(name))
            {
                return member.Value;
            }
        }

        return default;
    }

    public static bool IsString(ReadOnlyMemory<byte> value) => value.Length >= 2 && value.Span[0] == (byte)'"';

    public static bool IsObject(ReadOnlyMemory<byte> value) => value.Length >= 2 && value.Span[0] == (byte)'{';

    public static bool IsArray(ReadOnlyMemory<byte> value) => value.Length >= 2 && value.Span[0] == (byte)'[';

    public static bool IsNull(ReadOnlyMemory<byte> value) => value.Span.SequenceEqual("null"u8);

    /// <summary>Compares a raw string value, escapes resolved.</summary>
    public static bool TextEquals(ReadOnlyMemory<byte> value, ReadOnlySpan<byte> text)
    {
        if (!IsString(value))
        {
            return false;
        }

        var inner = value.Span[1..^1];
        if (!inner.Contains((byte)'\\'))
        {
            return inner.SequenceEqual(text);
        }

        var reader = new Utf8JsonReader(value.Span);
        return reader.Read() && reader.ValueTextEquals(text);
    }

    /// <summary>The escaped text between the quotes of a raw string; empty for anything else.</summary>
    public static ReadOnlyMemory<byte> Inner(ReadOnlyMemory<byte> value) => IsString(value) ? value[1..^1] : default;

    /// <summary>The text of a raw string, or null when it is no string.</summary>
    public static string? Text(ReadOnlyMemory<byte> value)
    {
        if (!IsString(value))
        {
            return null;
        }

        var reader = new Utf8JsonReader(value.Span);
        reader.Read();
        return reader.GetString();
    }

    /// <summary>The UTF-8 text that the escaped text of a string stands for; the same memory when nothing is escaped.</summary>
    public static ReadOnlyMemory<byte> Unescape(ReadOnlyMemory<byte> escaped)
    {
        if (!escaped.Span.Contains((byte)'\\'))
        {
            return escaped;
        }

        var quoted = ArrayPool<byte>.Shared.Rent(escaped.Length + 2);
        try
        {
            quoted[0] = (byte)'"';
            escaped.Span.CopyTo(quoted.AsSpan(1));
            quoted[escaped.Length + 1] = (byte)'"';
            var reader = new Utf8JsonReader(quoted.AsSpan(0, escaped.Length + 2));
            reader.Read();
            var text = new byte[escaped.Length];
            return text.AsMemory(0, reader.CopyString(text));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(quoted);
        }
    }

    /// <summary>Names the type of a raw value in the words of the API's messages.</summary>
    public static string Describe(ReadOnlyMemory<byte> value) => value.Span[0] switch
    {
        (byte)'"' => "a string",
        (byte)'{' => "an object",
        (byte)'[' => "an array",
        (byte)'t' or (byte)'f' => "a boolean",
        (byte)'n' => "null",
        _ => value.Span.ContainsAny(".eE"u8) ? "a decimal" : "an integer",
    };

    /// <summary>One member: its escaped name without quotes, and its value as raw JSON.</summary>
    internal readonly ref struct MemberView(ReadOnlySpan<byte> name, ReadOnlyMemory<byte> value)
    {
        public ReadOnlySpan<byte> Name { get; } = name;

        public ReadOnlyMemory<byte> Value { get; } = value;

        /// <summary>Compares the name, escapes resolved.</summary>
        public bool Is(ReadOnlySpan<byte> name) =>
            Name.SequenceEqual(name) || (Name.Contains((byte)'\\') && Unescape(Name.ToArray()).Span.SequenceEqual(name));
    }

    /// <summary>The members of one object.</summary>
    internal ref struct MemberEnumerator
    {
        private readonly ReadOnlyMemory<byte> _json;
        private Utf8JsonReader _reader;

        public MemberEnumerator(ReadOnlyMemory<byte> json)
        {
            _json = json;
            _reader = new Utf8JsonReader(IsObject(json) ? json.Span : "{}"u8, Options);
            _reader.Read();
        }

        public MemberView Current { get; private set; }

        public readonly MemberEnumerator GetEnumerator() => this;

        public bool MoveNext()
        {
            if (!_reader.Read() || _reader.TokenType == JsonTokenType.EndObject)
            {
                return false;
            }

            var name = _reader.ValueSpan;
            _reader.Read();
            var start = (int)_reader.TokenStartIndex;
            _reader.Skip();
            Current = new MemberView(name, _json[start..(int)_reader.BytesConsumed]);
            return true;
        }
    }

    /// <summary>The elements of one array as raw JSON.</summary>
    internal ref struct ElementEnumerator
    {
        private readonly ReadOnlyMemory<byte> _json;
        private Utf8JsonReader _reader;

        public ElementEnumerator(ReadOnlyMemory<byte> json)
        {
            _json = json;
            _reader = new Utf8JsonReader(IsArray(json) ? json.Span : "[]"u8, Options);
            _reader.Read();
        }

        public ReadOnlyMemory<byte> Current { get; private set; }

        public readonly ElementEnumerator GetEnumerator() => this;

        public bool MoveNext()
        {
            if (!_reader.Read() || _reader.TokenType == JsonTokenType.EndArray)
            {
                return false;
            }

            var start = (int)_reader.TokenStartIndex;
            _reader.Skip();
            Current = _json[start..(int)_reader.BytesConsumed];
            return true;
        }
    }
}
