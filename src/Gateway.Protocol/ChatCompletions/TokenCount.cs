namespace Gateway.Protocol.ChatCompletions;

/// <summary>What a server's tokenizer says of a prompt.</summary>
/// <param name="Tokens">The prompt's tokens.</param>
/// <param name="Window">The tokens that the model can hold; null when the server does not say.</param>
public readonly record struct TokenCount(int Tokens, int? Window);
