using System.Text;

namespace Gateway.Protocol.Responses;

/// <summary>One form of server-run call: names of its item and events (Responses API reference, "Streaming events").</summary>
/// <param name="Kind">Which form it is.</param>
/// <param name="ItemKind">The item's kind.</param>
/// <param name="TextMember">The member that holds what the model wrote, or null when no text is shown.</param>
/// <param name="TextEvent">What the events of that text begin with, behind <c>response.</c>.</param>
/// <param name="WorkingEvent">The event between the start and the end, or null.</param>
/// <param name="TellsFailure">A failed call has an event of its own; otherwise only the item's status tells.</param>
internal sealed record ServerCallRow(
    ServerCallKind Kind, ItemKind ItemKind, string? TextMember, string? TextEvent, string? WorkingEvent, bool TellsFailure)
{
    private static readonly ServerCallRow[] Rows =
    [
        new(ServerCallKind.Mcp, ItemKind.McpCall, "arguments", "mcp_call_arguments", null, TellsFailure: true),
        new(ServerCallKind.WebSearch, ItemKind.WebSearchCall, null, null, "searching", TellsFailure: false),
        new(ServerCallKind.FileSearch, ItemKind.FileSearchCall, null, null, "searching", TellsFailure: false),
        new(ServerCallKind.CodeInterpreter, ItemKind.CodeInterpreterCall, "code", "code_interpreter_call_code", "interpreting", TellsFailure: false),
        new(ServerCallKind.ImageGeneration, ItemKind.ImageGenerationCall, null, null, "generating", TellsFailure: false),
    ];

    public byte[] Type { get; } = Encoding.UTF8.GetBytes(ItemTable.Row(ItemKind).Type);

    public byte[] Started { get; } = Event(ItemTable.Row(ItemKind).Type, "in_progress");

    public byte[]? Working { get; } = WorkingEvent is null ? null : Event(ItemTable.Row(ItemKind).Type, WorkingEvent);

    public byte[] Completed { get; } = Event(ItemTable.Row(ItemKind).Type, "completed");

    public byte[]? Failed { get; } = TellsFailure ? Event(ItemTable.Row(ItemKind).Type, "failed") : null;

    public byte[]? TextDelta { get; } = TextEvent is null ? null : Event(TextEvent, "delta");

    public byte[]? TextDone { get; } = TextEvent is null ? null : Event(TextEvent, "done");

    /// <summary>The text's member with its comma, up to the opening quote.</summary>
    public byte[]? TextHead { get; } = TextMember is null ? null : Encoding.UTF8.GetBytes($",\"{TextMember}\":\"");

    public string IdPrefix { get; } = ItemTable.Row(ItemKind).IdPrefix;

    public static ServerCallRow Of(ServerCallKind kind) => Rows[(int)kind];

    /// <summary>The row of an item's kind; null when it is no call.</summary>
    public static ServerCallRow? Find(ItemKind kind) => Array.Find(Rows, row => row.ItemKind == kind);

    private static byte[] Event(string type, string phase) => Encoding.UTF8.GetBytes($"response.{type}.{phase}");
}
