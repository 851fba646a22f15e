using System.Diagnostics;

namespace Gateway.Store;

/// <summary>
/// One turn as one element of a log, the same in both stores: version, encoding, number of input items, number of output items, then each
/// item and the private part behind its length. Counts and lengths are LEB128. An erased turn is version and <see cref="Erased"/> alone.
/// </summary>
internal static class TurnCodec
{
    private const byte Version = 1;

    /// <summary>Items as they are. Other values are free for compressed turns.</summary>
    private const byte Plain = 0;

    private const byte ErasedEncoding = 0xFF;

    /// <summary>What takes the place of a deleted turn, so that the turns behind it keep their index.</summary>
    public static byte[] Erased { get; } = [Version, ErasedEncoding];

    public static byte[] Encode(Turn turn)
    {
        var size = 2 + Varint.Size(turn.Input.Count) + Varint.Size(turn.Output.Count)
            + SizeOf(turn.Input) + SizeOf(turn.Output) + Varint.Size(turn.Private.Length) + turn.Private.Length;
        var bytes = new byte[size];
        bytes[0] = Version;
        bytes[1] = Plain;
        var rest = bytes.AsSpan(2);
        Varint.Write(ref rest, turn.Input.Count);
        Varint.Write(ref rest, turn.Output.Count);
        WriteAll(ref rest, turn.Input);
        WriteAll(ref rest, turn.Output);
        WriteOne(ref rest, turn.Private.Span);
        Debug.Assert(rest.IsEmpty, "the size was counted wrong");
        return bytes;
    }

    /// <summary>The items are slices of <paramref name="element"/>. Null when the turn was erased.</summary>
    /// <exception cref="InvalidDataException">The element is damaged.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote it.</exception>
    public static Turn? Decode(ReadOnlyMemory<byte> element)
    {
        FormatStamp.Check(element.Span, Version, "A stored turn");
        if (element.Length < 2)
        {
            throw new InvalidDataException("A stored turn is damaged.");
        }

        switch (element.Span[1])
        {
            case ErasedEncoding:
                return null;
            case Plain:
                var rest = element[2..];
                var inputs = Varint.ReadCount(ref rest);
                var outputs = Varint.ReadCount(ref rest);
                return new Turn(ReadAll(ref rest, inputs), ReadAll(ref rest, outputs), ReadOne(ref rest));
            default:
                throw new NewerFormatException("A stored turn");
        }
    }

    private static int SizeOf(IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        var size = 0;
        for (var i = 0; i < items.Count; i++)
        {
            size = checked(size + Varint.Size(items[i].Length) + items[i].Length);
        }

        return size;
    }

    private static void WriteAll(ref Span<byte> rest, IReadOnlyList<ReadOnlyMemory<byte>> items)
    {
        for (var i = 0; i < items.Count; i++)
        {
            WriteOne(ref rest, items[i].Span);
        }
    }

    private static void WriteOne(ref Span<byte> rest, ReadOnlySpan<byte> item)
    {
        Varint.Write(ref rest, item.Length);
        item.CopyTo(rest);
        rest = rest[item.Length..];
    }

    private static ReadOnlyMemory<byte>[] ReadAll(ref ReadOnlyMemory<byte> rest, int count)
    {
        if (count == 0)
        {
            return [];
        }

        var items = new ReadOnlyMemory<byte>[count];
        for (var i = 0; i < count; i++)
        {
            items[i] = ReadOne(ref rest);
        }

        return items;
    }

    private static ReadOnlyMemory<byte> ReadOne(ref ReadOnlyMemory<byte> rest)
    {
        var length = Varint.ReadCount(ref rest);
        var item = rest[..length];
        rest = rest[length..];
        return item;
    }
}
