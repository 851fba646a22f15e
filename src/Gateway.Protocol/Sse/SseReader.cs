using System.Buffers;

namespace Gateway.Protocol.Sse;

/// <summary>
/// Reads an event stream (WHATWG HTML, "Server-sent events") from bytes that arrive in any pieces: LF, CRLF and CR line ends, comments,
/// several data lines, a byte order mark, and a last event without its blank line. It does no I/O: the caller reads into
/// <see cref="GetBuffer"/>, says how much with <see cref="Advance"/>, and takes events until there is no whole one in hand.
/// </summary>
public sealed class SseReader : IDisposable
{
    private const int MinRead = 4096;

    /// <summary>More than a line has besides its data: a byte order mark, the field's name, its colon and a space.</summary>
    private const int MaxFramingBytes = 16;

    private readonly int _maxEventBytes;
    private byte[] _buffer = ArrayPool<byte>.Shared.Rent(16 * 1024);
    private byte[]? _joined;
    private int _joinedLength;
    private int _position;
    private int _end;
    private int _scanned;
    private int _dataStart = -1;
    private int _dataLength;
    private bool _hasEvent;
    private bool _afterCr;
    private bool _begun;
    private bool _completed;

    /// <param name="maxEventBytes">The longest data of an event, in bytes; longer data throws <see cref="InvalidDataException"/>.</param>
    public SseReader(int maxEventBytes = 16 * 1024 * 1024)
    {
        _maxEventBytes = maxEventBytes;
    }

    /// <summary>The last event taken was named <c>error</c>.</summary>
    public bool IsErrorEvent { get; private set; }

    /// <summary>Room for the next read. Data of the last event is gone after this call.</summary>
    public Memory<byte> GetBuffer()
    {
        if (_dataStart < 0)
        {
            ReleaseJoined();
        }
        else if (_joined is null)
        {
            // Moved out of the buffer, so that what follows in the event (comments without end, for one) takes no room.
            JoinMore(_buffer.AsSpan(_dataStart, _dataLength));
            _dataStart = 0;
        }

        if (_position > 0)
        {
            _buffer.AsSpan(_position, _end - _position).CopyTo(_buffer);
            _scanned -= _position;
            _end -= _position;
            _position = 0;
        }

        CheckLine(_end);
        if (_buffer.Length - _end < MinRead)
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Min(_buffer.Length * 2L, Array.MaxLength));
            _buffer.AsSpan(0, _end).CopyTo(larger);
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = larger;
        }

        return _buffer.AsMemory(_end);
    }

    /// <summary>So many bytes were read into the buffer.</summary>
    public void Advance(int count) => _end += count;

    /// <summary>The stream ended: an event that lacks its blank line is whole now.</summary>
    public void Complete() => _completed = true;

    /// <summary>Takes the next whole event's data. False when more bytes are needed. The data is valid until the next call.</summary>
    public bool TryRead(out ReadOnlySpan<byte> data)
    {
        if (_dataStart < 0)
        {
            ReleaseJoined();
        }

        while (TryReadLine(out var start, out var length))
        {
            if (length == 0)
            {
                if (TakeEvent(out data))
                {
                    return true;
                }
            }
            else
            {
                ReadField(start, length);
            }
        }

        if (_completed)
        {
            return TakeEvent(out data);
        }

        data = default;
        return false;
    }

    public void Dispose()
    {
        ReleaseJoined();
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
        }
    }

    private bool TakeEvent(out ReadOnlySpan<byte> data)
    {
        data = default;
        var hasData = _dataStart >= 0;
        if (hasData)
        {
            data = _joined is null ? _buffer.AsSpan(_dataStart, _dataLength) : _joined.AsSpan(0, _joinedLength);
        }

        IsErrorEvent = _hasEvent;
        _dataStart = -1;
        _hasEvent = false;
        return hasData;
    }

    private bool TryReadLine(out int start, out int length)
    {
        if (_afterCr && _position < _end)
        {
            _afterCr = false;
            if (_buffer[_position] == '\n')
            {
                _position++;
            }
        }

        start = _position;
        var from = Math.Max(_scanned, _position);
        var found = _buffer.AsSpan(from, _end - from).IndexOfAny((byte)'\n', (byte)'\r');
        if (found < 0)
        {
            _scanned = _end;
            length = _end - _position;
            if (!_completed || length == 0)
            {
                return false;
            }

            _position = _end;
        }
        else
        {
            var lineEnd = from + found;
            length = lineEnd - start;
            _afterCr = _buffer[lineEnd] == '\r';
            _position = lineEnd + 1;
        }

        CheckLine(length);
        if (!_begun)
        {
            _begun = true;
            if (_buffer.AsSpan(start, length).StartsWith("\uFEFF"u8))
            {
                start += 3;
                length -= 3;
            }
        }

        return true;
    }

    private void ReadField(int start, int length)
    {
        var line = _buffer.AsSpan(start, length);
        if (line.StartsWith("data"u8) && (length == 4 || line[4] == ':'))
        {
            var skip = Math.Min(5, length);
            skip += skip < length && line[skip] == ' ' ? 1 : 0;
            AddData(start + skip, length - skip);
        }
        else if (line.StartsWith("event:"u8))
        {
            _hasEvent = line[6..].Trim((byte)' ').SequenceEqual("error"u8);
        }
    }

    private void AddData(int start, int length)
    {
        if (_dataStart < 0)
        {
            CheckData(length);
            _dataStart = start;
            _dataLength = length;
            return;
        }

        if (_joined is null)
        {
            JoinMore(_buffer.AsSpan(_dataStart, _dataLength));
        }

        JoinMore("\n"u8);
        JoinMore(_buffer.AsSpan(start, length));
        _dataStart = 0;
    }

    private void JoinMore(ReadOnlySpan<byte> bytes)
    {
        var length = _joinedLength + (long)bytes.Length;
        CheckData(length);
        if (_joined is null || _joined.Length < length)
        {
            var larger = ArrayPool<byte>.Shared.Rent((int)Math.Clamp(length * 2, 1024, Array.MaxLength));
            _joined?.AsSpan(0, _joinedLength).CopyTo(larger);
            if (_joined is not null)
            {
                ArrayPool<byte>.Shared.Return(_joined);
            }

            _joined = larger;
        }

        bytes.CopyTo(_joined.AsSpan(_joinedLength));
        _joinedLength += bytes.Length;
    }

    /// <summary>A line of any kind, whole or not: a limit on it holds wherever the stream is cut.</summary>
    private void CheckLine(int length) => CheckData((long)length - MaxFramingBytes);

    private void CheckData(long length)
    {
        if (length > _maxEventBytes)
        {
            throw new InvalidDataException("An event of the stream is longer than the limit.");
        }
    }

    private void ReleaseJoined()
    {
        if (_joined is not null)
        {
            ArrayPool<byte>.Shared.Return(_joined);
            _joined = null;
            _joinedLength = 0;
        }
    }
}
