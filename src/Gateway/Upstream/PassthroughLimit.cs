using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>Takes a place among what is being made at once: null and the place, to be disposed at the end, or the error. Without one there is room for all.</summary>
internal delegate ApiError? PassthroughLimit(HttpContext context, out IDisposable? place);
