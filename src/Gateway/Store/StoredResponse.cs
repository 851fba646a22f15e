namespace Gateway.Store;

/// <summary>A response with its own turn.</summary>
internal sealed record StoredResponse(ResponseRecord Record, Turn Turn);
