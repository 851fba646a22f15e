namespace Gateway.Protocol.Responses;

/// <summary>How far the model is free to call tools.</summary>
public enum ToolChoiceMode { Auto, None, Required }

/// <summary>
/// The parsed <c>tool_choice</c>. A choice of one named tool is <see cref="ToolChoiceMode.Required"/> with that tool in
/// <see cref="Only"/> and <see cref="IsNamed"/> set; <c>allowed_tools</c> is its mode with its subset in <see cref="Only"/>.
/// </summary>
public sealed class ToolChoice
{
    public static ToolChoice Auto { get; } = new() { Mode = ToolChoiceMode.Auto };

    public required ToolChoiceMode Mode { get; init; }

    /// <summary>The only tools the model may call, or null for all of the request's.</summary>
    public IReadOnlyList<Tool>? Only { get; init; }

    /// <summary>The client named exactly one tool.</summary>
    public bool IsNamed { get; init; }
}
