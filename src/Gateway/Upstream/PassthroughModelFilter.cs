using Gateway.Protocol.Responses;

namespace Gateway.Upstream;

/// <summary>Says whether the caller may use a model: null for yes, else the error. Without one all may.</summary>
internal delegate ApiError? PassthroughModelFilter(HttpContext context, string model);
