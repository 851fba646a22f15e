using System.Diagnostics;
using Gateway.Load.Mock;

namespace Gateway.Load.Run;

/// <summary>Reads answers into one reused buffer. One per worker.</summary>
internal sealed class AnswerReader
{
    private const int MaxBytes = 16 * 1024 * 1024;

    private byte[] _buffer = new byte[64 * 1024];
    private int _length;

    /// <summary>The body of a JSON answer, or what is left of a stream: its last lines.</summary>
    public ReadOnlySpan<byte> Content => _buffer.AsSpan(0, _length);

    /// <summary>Reads to the end; the body is then in <see cref="Content"/>.</summary>
    public async ValueTask ReadAllAsync(Stream body, CancellationToken cancellationToken)
    {
        _length = 0;
        while (await FillAsync(body, cancellationToken))
        {
            // Until the end.
        }
    }

    /// <summary>Reads an event stream to its end.</summary>
    /// <param name="body">The answer.</param>
    /// <param name="call">What to look for.</param>
    /// <param name="delays">Where the delays of stamped deltas go, in ticks; empty otherwise.</param>
    /// <param name="cancellationToken">Ends the reading.</param>
    /// <returns>How many deltas came, when the first did, and whether the stream was complete.</returns>
    public async ValueTask<StreamSeen> ReadEventsAsync(Stream body, Call call, Memory<long> delays, CancellationToken cancellationToken)
    {
        _length = 0;
        var seen = default(StreamSeen);
        while (await FillAsync(body, cancellationToken))
        {
            var now = Stopwatch.GetTimestamp();
            var used = 0;
            for (int end; (end = _buffer.AsSpan(used, _length - used).IndexOf((byte)'\n')) >= 0; used += end + 1)
            {
                ReadLine(_buffer.AsSpan(used, end), call, delays.Span, now, ref seen);
            }

            _buffer.AsSpan(used, _length - used).CopyTo(_buffer);
            _length -= used;
        }

        return seen;
    }

    private static void ReadLine(ReadOnlySpan<byte> line, Call call, Span<long> delays, long now, ref StreamSeen seen)
    {
        if (!line.StartsWith("data:"u8))
        {
            return;
        }

        var mark = line.IndexOf(call.DeltaMark);
        if (mark < 0)
        {
            seen.Ended |= line.IndexOf(call.EndMark) >= 0;
            return;
        }

        if (seen.Deltas == 0)
        {
            seen.FirstDelta = now;
        }

        if (call.Stamped && seen.Deltas < delays.Length)
        {
            var stamp = line.Slice(mark + call.DeltaMark.Length, MockAnswers.StampDigits);
            delays[seen.Deltas] = now - long.Parse(stamp, System.Globalization.CultureInfo.InvariantCulture);
        }

        seen.Deltas++;
    }

    private async ValueTask<bool> FillAsync(Stream body, CancellationToken cancellationToken)
    {
        if (_length == _buffer.Length)
        {
            if (_length == MaxBytes)
            {
                throw new LoadException($"An answer, or a line of one, is larger than {MaxBytes} bytes.");
            }

            Array.Resize(ref _buffer, _length * 2);
        }

        var read = await body.ReadAsync(_buffer.AsMemory(_length), cancellationToken);
        _length += read;
        return read > 0;
    }
}
