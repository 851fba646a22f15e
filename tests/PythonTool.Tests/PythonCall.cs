using System.Text.Json;
using ModelContextProtocol.Protocol;

namespace PythonTool.Tests;

/// <summary>What a call gave: the text for the model, and the structured content.</summary>
internal sealed record PythonCall(bool IsError, string Text, string Status, string Stdout, string Stderr, string? Result, string? Reason)
{
    public static PythonCall From(CallToolResult result)
    {
        var structured = result.StructuredContent!.Value;
        string? Read(string name) => structured.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value.GetString() : null;
        return new PythonCall(
            result.IsError == true, Assert.IsType<TextContentBlock>(Assert.Single(result.Content)).Text, Read("status")!, Read("stdout")!,
            Read("stderr")!, Read("result"), Read("reason"));
    }
}
