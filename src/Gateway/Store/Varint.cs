namespace Gateway.Store;

/// <summary>Non-negative numbers as LEB128: seven bits a byte, low bits first.</summary>
internal static class Varint
{
    public static int Size(int value)
    {
        var size = 1;
        while ((value >>= 7) != 0)
        {
            size++;
        }

        return size;
    }

    public static void Write(ref Span<byte> rest, int value)
    {
        while (value >= 0x80)
        {
            rest[0] = (byte)(value | 0x80);
            rest = rest[1..];
            value >>= 7;
        }

        rest[0] = (byte)value;
        rest = rest[1..];
    }

    /// <exception cref="InvalidDataException">There is no whole number.</exception>
    public static int Read(ref ReadOnlyMemory<byte> rest)
    {
        var span = rest.Span;
        long value = 0;
        for (var i = 0; i < span.Length && i < 5; i++)
        {
            value |= (long)(span[i] & 0x7F) << (7 * i);
            if (span[i] < 0x80 && value <= int.MaxValue)
            {
                rest = rest[(i + 1)..];
                return (int)value;
            }
        }

        throw new InvalidDataException("Stored data is cut off.");
    }

    /// <summary>
    /// Reads a length or a count. Each counted thing takes at least one byte, so a number larger than what is left is damage; this keeps a
    /// damaged count from allocating.
    /// </summary>
    /// <exception cref="InvalidDataException">There is no whole number, or less is left than it says.</exception>
    public static int ReadCount(ref ReadOnlyMemory<byte> rest)
    {
        var count = Read(ref rest);
        return count <= rest.Length ? count : throw new InvalidDataException("Stored data is cut off.");
    }
}
