namespace Gateway.Testing.Scripting;

/// <summary>One tool call of an answer; its arguments are the text of a JSON object.</summary>
public sealed record ChatToolCall(string Id, string Name, string Arguments);
