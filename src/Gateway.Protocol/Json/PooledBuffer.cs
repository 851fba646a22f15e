using System.Buffers;
using System.Buffers.Text;

namespace Gateway.Protocol.Json;

/// <summary>
/// A growing byte buffer over pooled arrays: what events and bodies are rendered into. Not for concurrent use. A disposed buffer has
/// returned its array, so nothing may hold on to <see cref="WrittenMemory"/>.
/// </summary>
public sealed class PooledBuffer : IBufferWriter<byte>, IDisposable
{
    private byte[] _array;
    private int _length;

    public PooledBuffer(int capacity = 1024)
    {
        _array = ArrayPool<byte>.Shared.Rent(capacity);
    }

    public int Length => _length;

    public ReadOnlySpan<byte> WrittenSpan => _array.AsSpan(0, _length);

    public ReadOnlyMemory<byte> WrittenMemory => _array.AsMemory(0, _length);

    public void Clear() => _length = 0;

    /// <summary>Forgets everything behind the first <paramref name="length"/> bytes.</summary>
    public void Truncate(int length)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan((uint)length, (uint)_length, nameof(length));
        _length = length;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(GetSpan(bytes.Length));
        _length += bytes.Length;
    }

    public void Append(byte value)
    {
        GetSpan(1)[0] = value;
        _length++;
    }

    public void Append(long value)
    {
        Utf8Formatter.TryFormat(value, GetSpan(20), out var written);
        _length += written;
    }

    /// <summary>Appends UTF-8 text as the inside of a JSON string.</summary>
    public void AppendEscaped(ReadOnlySpan<byte> utf8) => JsonText.Escape(utf8, this);

    /// <summary>Appends UTF-8 text as a JSON string with its quotes.</summary>
    public void AppendString(ReadOnlySpan<byte> utf8)
    {
        Append((byte)'"');
        JsonText.Escape(utf8, this);
        Append((byte)'"');
    }

    /// <summary>Appends text as a JSON string with its quotes, or <c>null</c>.</summary>
    public void AppendString(string? text)
    {
        if (text is null)
        {
            Append("null"u8);
            return;
        }

        Append((byte)'"');
        JsonText.Escape(text, this);
        Append((byte)'"');
    }

    public void Advance(int count) => _length += count;

    public Memory<byte> GetMemory(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _array.AsMemory(_length);
    }

    public Span<byte> GetSpan(int sizeHint = 0)
    {
        EnsureRoom(sizeHint);
        return _array.AsSpan(_length);
    }

    public void Dispose()
    {
        var array = _array;
        _array = [];
        _length = 0;
        if (array.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(array);
        }
    }

    private void EnsureRoom(int sizeHint)
    {
        var needed = checked(_length + Math.Max(sizeHint, 1));
        if (needed > _array.Length)
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(Math.Max((long)needed, _array.Length * 2L), Array.MaxLength));
            _array.AsSpan(0, _length).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_array);
            _array = larger;
        }
    }
}
