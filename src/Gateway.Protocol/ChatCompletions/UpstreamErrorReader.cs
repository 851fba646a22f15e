using Gateway.Protocol.Responses;
namespace Gateway.Protocol.ChatCompletions;
public static class UpstreamErrorReader { public static ApiError FromStreamError(ReadOnlySpan<byte> json, IReadOnlyList<string> patterns) => ApiError.UpstreamError(patterns.Count + json.Length.ToString()); }
