using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>
/// Splits text that begins with reasoning in tags (<c>&lt;think&gt;…&lt;/think&gt;</c>) from the answer, while both arrive in pieces of any
/// size. Tags count only at the start of the message. No more is held back than what may still become a tag.
/// </summary>
internal sealed class ReasoningTagScanner : IDisposable
{
    private readonly IReadOnlyList<string> _tags;
    private readonly byte[][] _tagBytes;
    private readonly PooledBuffer _held = new(64);
    private byte[] _closeTag = [];
    private State _state;
    private bool _heldIsSpace;

    /// <param name="tags">Open and close tags, alternating.</param>
    /// <param name="implicitOpen">The template opened the first tag already.</param>
    public ReasoningTagScanner(IReadOnlyList<string> tags, bool implicitOpen)
    {
        _tags = tags;
        _tagBytes = [.. tags.Select(System.Text.Encoding.UTF8.GetBytes)];
        _state = tags.Count < 2 ? State.Text : State.Start;
        if (implicitOpen && tags.Count >= 2)
        {
            _state = State.Reasoning;
            _closeTag = _tagBytes[1];
        }
    }

    private static ReadOnlySpan<byte> Space => " \t\r\n"u8;

    private enum State { Start, Reasoning, AfterClose, Text }

    /// <summary>Text needs no scanning any more: what comes is the answer.</summary>
    public bool IsPassThrough => _state == State.Text && _held.Length == 0;

    /// <summary>Takes a piece of text and hands on what is decided.</summary>
    public void Push(ReadOnlySpan<byte> utf8, ITextReceiver receiver)
    {
        if (_heldIsSpace && utf8.Trim(Space).IsEmpty)
        {
            // White space without end must not be scanned again with every piece.
            _held.Append(utf8);
        }
        else if (_held.Length > 0)
        {
            _heldIsSpace = false;
            _held.Append(utf8);
            using var all = new PooledBuffer(_held.Length);
            all.Append(_held.WrittenSpan);
            _held.Clear();
            Scan(all.WrittenSpan, receiver);
        }
        else
        {
            Scan(utf8, receiver);
        }
    }

    /// <summary>The text ended: what was held back was no tag.</summary>
    public void Finish(ITextReceiver receiver)
    {
        if (_held.Length > 0)
        {
            if (_state == State.Reasoning)
            {
                receiver.OnReasoning(_held.WrittenSpan);
            }
            else
            {
                receiver.OnText(_held.WrittenSpan);
            }

            _held.Clear();
            _heldIsSpace = false;
        }
    }

    public void Dispose() => _held.Dispose();

    private void Scan(ReadOnlySpan<byte> text, ITextReceiver receiver)
    {
        while (!text.IsEmpty)
        {
            switch (_state)
            {
                case State.Start:
                    text = ScanStart(text);
                    break;
                case State.Reasoning:
                    text = ScanReasoning(text, receiver);
                    break;
                case State.AfterClose:
                    text = text[0] == '\n' ? text[1..] : text;
                    _state = State.Text;
                    break;
                default:
                    receiver.OnText(text);
                    return;
            }
        }
    }

    /// <summary>Looks for an open tag behind white space. Returns what is still to scan; holds back what is undecided.</summary>
    private ReadOnlySpan<byte> ScanStart(ReadOnlySpan<byte> text)
    {
        var trimmed = text.TrimStart(Space);
        for (var i = 0; i + 1 < _tags.Count; i += 2)
        {
            ReadOnlySpan<byte> open = _tagBytes[i];
            if (trimmed.StartsWith(open))
            {
                _state = State.Reasoning;
                _closeTag = _tagBytes[i + 1];
                return trimmed[open.Length..];
            }
        }

        for (var i = 0; i + 1 < _tags.Count; i += 2)
        {
            if (_tagBytes[i].AsSpan().StartsWith(trimmed))
            {
                _held.Append(text);
                _heldIsSpace = trimmed.IsEmpty;
                return default;
            }
        }

        _state = State.Text;
        return text;
    }

    private ReadOnlySpan<byte> ScanReasoning(ReadOnlySpan<byte> text, ITextReceiver receiver)
    {
        var close = text.IndexOf(_closeTag);
        if (close >= 0)
        {
            if (close > 0)
            {
                receiver.OnReasoning(text[..close]);
            }

            _state = State.AfterClose;
            return text[(close + _closeTag.Length)..];
        }

        var keep = LongestTagStart(text);
        if (keep < text.Length)
        {
            receiver.OnReasoning(text[..^keep]);
        }

        _held.Append(text[^keep..]);
        return default;
    }

    /// <summary>How many bytes at the end may be the beginning of the close tag.</summary>
    private int LongestTagStart(ReadOnlySpan<byte> text)
    {
        for (var length = Math.Min(_closeTag.Length - 1, text.Length); length > 0; length--)
        {
            if (_closeTag.AsSpan().StartsWith(text[^length..]))
            {
                return length;
            }
        }

        return 0;
    }
}
