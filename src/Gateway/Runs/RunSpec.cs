using System.Text.Json;
using Gateway.Responses;
using Gateway.Store;

namespace Gateway.Runs;

/// <summary>All that a replica needs to make a response that another one accepted: the request as it came, and what was decided about it.</summary>
internal sealed record RunSpec
{
    private const int Version = 1;

    /// <summary>Of a response in a conversation: replicas of a version that does not know such runs leave it to others.</summary>
    private const int VersionInConversation = 2;

    /// <summary>The dialect's name.</summary>
    public required string Dialect { get; init; }

    /// <summary>The model by the client's name, though the request may leave it to the response before.</summary>
    public required string Model { get; init; }

    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The client asked for a background response: it begins as queued, and nobody has to follow it.</summary>
    public required bool IsBackground { get; init; }

    /// <summary>Its events are kept, so that it can be followed.</summary>
    public required bool KeepsEvents { get; init; }

    /// <summary>How long it goes on with nobody following it; null for ever.</summary>
    public TimeSpan? Window { get; init; }

    /// <summary>It came with an <c>Idempotency-Key</c>: its events are kept as long as the key.</summary>
    public bool IsKeyed { get; init; }

    /// <summary>The response is made in a conversation, on which the run has a hold. Default no.</summary>
    public bool IsInConversation { get; init; }

    /// <summary>The request's body; sealed when <see cref="IsSealed"/>.</summary>
    public required ReadOnlyMemory<byte> Body { get; init; }

    /// <summary>The body holds credentials.</summary>
    public bool IsSealed { get; init; }

    /// <summary>A line of JSON, and behind it the body.</summary>
    public byte[] Write()
    {
        using var buffer = new MemoryStream();
        using (var writer = new Utf8JsonWriter(buffer))
        {
            writer.WriteStartObject();
            writer.WriteNumber("v"u8, IsInConversation ? VersionInConversation : Version);
            writer.WriteString("dialect"u8, Dialect);
            writer.WriteString("model"u8, Model);
            writer.WriteNumber("created"u8, CreatedAt.ToUnixTimeMilliseconds());
            writer.WriteBoolean("background"u8, IsBackground);
            writer.WriteBoolean("events"u8, KeepsEvents);
            writer.WriteBoolean("sealed"u8, IsSealed);
            writer.WriteBoolean("keyed"u8, IsKeyed);
            if (Window is { } window)
            {
                writer.WriteNumber("window"u8, (long)window.TotalMilliseconds);
            }

            writer.WriteEndObject();
        }

        buffer.WriteByte((byte)'\n');
        buffer.Write(Body.Span);
        return buffer.ToArray();
    }

    /// <exception cref="InvalidDataException">It is damaged.</exception>
    /// <exception cref="NewerFormatException">A newer version wrote it.</exception>
    public static RunSpec Read(ReadOnlyMemory<byte> spec)
    {
        var end = spec.Span.IndexOf((byte)'\n');
        if (end < 0)
        {
            throw new InvalidDataException("A stored run is damaged.");
        }

        try
        {
            using var head = JsonDocument.Parse(spec[..end]);
            var root = head.RootElement;
            var version = root.GetProperty("v"u8).GetInt32();
            if (version > VersionInConversation)
            {
                throw new NewerFormatException("A stored run");
            }

            if (version is not (Version or VersionInConversation))
            {
                throw new InvalidDataException("A stored run is damaged.");
            }

            var dialect = root.GetProperty("dialect"u8).GetString() ?? throw new InvalidDataException("A stored run is damaged.");
            return new RunSpec
            {
                Dialect = ResponsesEndpoints.DialectNamed(dialect).Name,
                Model = root.GetProperty("model"u8).GetString() ?? throw new InvalidDataException("A stored run is damaged."),
                CreatedAt = DateTimeOffset.FromUnixTimeMilliseconds(root.GetProperty("created"u8).GetInt64()),
                IsBackground = root.GetProperty("background"u8).GetBoolean(),
                KeepsEvents = root.GetProperty("events"u8).GetBoolean(),
                IsKeyed = root.GetProperty("keyed"u8).GetBoolean(),
                IsInConversation = version == VersionInConversation,
                IsSealed = root.GetProperty("sealed"u8).GetBoolean(),
                Window = root.TryGetProperty("window"u8, out var window) ? TimeSpan.FromMilliseconds(window.GetInt64()) : null,
                Body = spec[(end + 1)..],
            };
        }
        catch (Exception e) when (e is JsonException or KeyNotFoundException or InvalidOperationException or FormatException or ArgumentException or OverflowException)
        {
            throw new InvalidDataException("A stored run is damaged.", e);
        }
    }
}
