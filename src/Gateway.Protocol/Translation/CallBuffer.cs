using System.Text.Json;
using Gateway.Protocol.Json;

namespace Gateway.Protocol.Translation;

/// <summary>One tool call of a round while its pieces arrive.</summary>
internal sealed class CallBuffer : IDisposable
{
    private char _pendingSurrogate;

    /// <summary>The <c>index</c> the server gave, or -1.</summary>
    public int Index { get; init; }

    /// <summary>The number of the chunk that had its last piece.</summary>
    public int Chunk { get; set; }

    /// <summary>The server's id; the first one that was not empty.</summary>
    public string? UpstreamId { get; set; }

    /// <summary>The function's name so far; empty until known.</summary>
    public string Name { get; set; } = string.Empty;

    /// <summary>Argument text that arrived, unescaped.</summary>
    public PooledBuffer Arguments { get; } = new(256);

    /// <summary>Half a surrogate pair that the last piece ended with.</summary>
    public ref char PendingSurrogate => ref _pendingSurrogate;

    /// <summary>How much of <see cref="Arguments"/> was sent to the client.</summary>
    public int Sent { get; set; }

    /// <summary>The call's item was opened.</summary>
    public bool IsOpened { get; set; }

    /// <summary>The id the client will know, for a call whose item comes later; null for one whose item is written as it comes.</summary>
    public string? CallId { get; set; }

    /// <summary>The call's item was closed: further pieces are noise.</summary>
    public bool IsClosed { get; set; }

    /// <summary>The arguments are one whole JSON object: nothing can follow.</summary>
    public bool HasWholeArguments => Arguments.Length > 1 && IsWholeObject(Arguments.WrittenSpan);

    /// <summary>Adds a piece, unless it only repeats what is there: some servers send all arguments once more at the end.</summary>
    public void AddArguments(ReadOnlySpan<byte> piece)
    {
        var have = Arguments.WrittenSpan;
        if (have.Length > 0 && piece[0] == '{' && piece.StartsWith(have) && IsWholeObject(piece))
        {
            piece = piece[have.Length..];
        }
        else if (piece[0] == '{' && have.SequenceEqual("{}"u8))
        {
            // An empty object as a placeholder before the real arguments. Nothing of it was sent: whole objects are sent on closing.
            Arguments.Clear();
        }

        Arguments.Append(piece);
    }

    public void Dispose() => Arguments.Dispose();

    private static bool IsWholeObject(ReadOnlySpan<byte> json)
    {
        // The cheap test first: this runs for every piece.
        var last = json.TrimEnd(" \t\r\n"u8);
        if (last.IsEmpty || last[^1] != '}')
        {
            return false;
        }

        try
        {
            var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartObject)
            {
                return false;
            }

            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
