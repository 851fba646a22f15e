using System.Buffers.Binary;
using System.Diagnostics;
using System.Text;

namespace Gateway.Store;

/// <summary>
/// A response's record, the same in both stores: a head (version, created as 8 bytes of milliseconds, status, path, output offset) and
/// behind it the envelope. The head is written on its own, since a commit sends two heads (appended or branched) and one envelope.
/// Texts are UTF-8 behind their length, numbers LEB128.
/// </summary>
internal static class RecordCodec
{
    /// <summary>How many bytes <see cref="DecodeCreated"/> needs.</summary>
    public const int CreatedPrefix = 1 + sizeof(long);

    private const byte Version = 1;

    public static byte[] EncodeHead(TurnCommit commit, IReadOnlyList<PathSegment> path)
    {
        var size = CreatedPrefix + SizeOf(commit.Status) + Varint.Size(path.Count) + Varint.Size(commit.OutputOffset);
        foreach (var segment in path)
        {
            size += SizeOf(segment.Chain) + SizeOf(segment.Branch) + Varint.Size(segment.Count);
        }

        var bytes = new byte[size];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(1), commit.CreatedAt.ToUnixTimeMilliseconds());
        var rest = bytes.AsSpan(CreatedPrefix);
        WriteText(ref rest, commit.Status);
        Varint.Write(ref rest, path.Count);
        foreach (var segment in path)
        {
            WriteText(ref rest, segment.Chain);
            WriteText(ref rest, segment.Branch);
            Varint.Write(ref rest, segment.Count);
        }

        Varint.Write(ref rest, commit.OutputOffset);
        Debug.Assert(rest.IsEmpty, "the size was counted wrong");
        return bytes;
    }

    /// <summary>The envelope is a slice of <paramref name="record"/>.</summary>
    /// <exception cref="InvalidDataException">The record is damaged.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote it.</exception>
    public static ResponseRecord Decode(ResponseId id, ReadOnlyMemory<byte> record)
    {
        var created = DecodeCreated(record.Span);
        var rest = record[CreatedPrefix..];
        var status = ReadText(ref rest);
        var path = new PathSegment[Varint.ReadCount(ref rest)];
        for (var i = 0; i < path.Length; i++)
        {
            path[i] = new PathSegment(ReadText(ref rest), ReadText(ref rest), Varint.Read(ref rest));
        }

        var outputOffset = Varint.Read(ref rest);
        if (path.Length == 0 || outputOffset > rest.Length)
        {
            throw new InvalidDataException("A stored record is damaged.");
        }

        return new ResponseRecord(id, status, created, path, rest, outputOffset);
    }

    /// <summary>The creation time from a record's first <see cref="CreatedPrefix"/> bytes.</summary>
    public static DateTimeOffset DecodeCreated(ReadOnlySpan<byte> record)
    {
        FormatStamp.Check(record, Version, "A stored record");
        if (record.Length < CreatedPrefix)
        {
            throw new InvalidDataException("A stored record is damaged.");
        }

        return DateTimeOffset.FromUnixTimeMilliseconds(BinaryPrimitives.ReadInt64LittleEndian(record[1..]));
    }

    private static int SizeOf(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        return Varint.Size(length) + length;
    }

    private static void WriteText(ref Span<byte> rest, string text)
    {
        Varint.Write(ref rest, Encoding.UTF8.GetByteCount(text));
        rest = rest[Encoding.UTF8.GetBytes(text, rest)..];
    }

    private static string ReadText(ref ReadOnlyMemory<byte> rest)
    {
        var length = Varint.ReadCount(ref rest);
        var text = Encoding.UTF8.GetString(rest.Span[..length]);
        rest = rest[length..];
        return text;
    }
}
