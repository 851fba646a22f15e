using System.Text;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.Tests.Responses;

/// <summary>Parses request bodies in tests.</summary>
internal static class Requests
{
    public static ApiError? TryParse(string json, out ResponsesRequest? request, RequestRules? rules = null) =>
        RequestParser.Parse(Encoding.UTF8.GetBytes(json), rules ?? RequestRules.Default, out request);

    public static ResponsesRequest Parse(string json, RequestRules? rules = null)
    {
        var error = TryParse(json, out var request, rules);
        Assert.Null(error);
        Assert.NotNull(request);
        return request;
    }

    public static ApiError Reject(string json, RequestRules? rules = null)
    {
        var error = TryParse(json, out var request, rules);
        Assert.NotNull(error);
        Assert.Null(request);
        return error;
    }

    /// <summary>A minimal request with further members.</summary>
    public static string With(string members) => $$"""{"model":"m","input":"hi",{{members}}}""";

    /// <summary>A request whose input is these items.</summary>
    public static string WithInput(string items) => $$"""{"model":"m","input":[{{items}}]}""";

    public static ResponsesRequest ParseInput(string items) => Parse(WithInput(items));

    public static string Text(ReadOnlyMemory<byte> json) => Encoding.UTF8.GetString(json.Span);
}
