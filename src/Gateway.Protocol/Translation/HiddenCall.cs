namespace Gateway.Protocol.Translation;

/// <summary>What the model sees of a server-run call where the item that clients see does not hold it.</summary>
/// <param name="Name">The tool by the name that was offered.</param>
/// <param name="Arguments">A JSON object.</param>
/// <param name="Output">The outcome as text.</param>
public sealed record HiddenCall(string Name, string Arguments, string Output);
