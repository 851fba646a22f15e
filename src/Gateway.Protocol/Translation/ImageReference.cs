namespace Gateway.Protocol.Translation;

/// <summary>An image that a context names by an http(s) URL.</summary>
/// <param name="Url">The URL, escapes resolved.</param>
/// <param name="Param">The field of the request it stands in; null when it comes from the chain, where the client can not change it.</param>
public sealed record ImageReference(string Url, string? Param);
