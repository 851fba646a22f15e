using System.Globalization;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Responses;

/// <summary>The page of a list that a query string asks for (Responses API reference, "Lists").</summary>
/// <param name="Limit">The most objects, 1 to 100; default 20.</param>
/// <param name="After">Only what is behind this id in the page's order, or null.</param>
/// <param name="Before">Only what is before this id in the page's order, or null; never together with <paramref name="After"/>.</param>
/// <param name="Ascending">Oldest first; default false.</param>
internal sealed record ListPage(int Limit, string? After, string? Before, bool Ascending)
{
    private const int DefaultLimit = 20;
    private const int MaxLimit = 100;

    public static ApiError? Read(IQueryCollection query, out ListPage page)
    {
        page = new ListPage(DefaultLimit, NullIfEmpty(query["after"]), NullIfEmpty(query["before"]), query["order"] == "asc");
        if (NullIfEmpty(query["limit"]) is { } text)
        {
            if (!int.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var limit))
            {
                return ApiError.InvalidType("limit", "an integer", "a string");
            }

            if (limit < 1)
            {
                return ApiError.IntegerBelowMin("limit", 1, text);
            }

            if (limit > MaxLimit)
            {
                return ApiError.IntegerAboveMax("limit", MaxLimit, text);
            }

            page = page with { Limit = limit };
        }

        if (NullIfEmpty(query["order"]) is { } order && order is not ("asc" or "desc"))
        {
            return ApiError.InvalidEnum("order", order, ["asc", "desc"]);
        }

        return page is { After: not null, Before: not null }
            ? ApiError.Invalid("mutually_exclusive_parameters", "after", "Mutually exclusive parameters: 'after' and 'before'. Ensure you are only providing one of them.")
            : null;
    }

    /// <summary>Checks the <c>include</c> values, in either form that clients send. Null when all are known.</summary>
    public static ApiError? CheckIncludes(IQueryCollection query) => RequestParser.CheckIncludes(query["include[]"].Concat(query["include"]));

    public static ApiError UnknownCursor(string param, string value) =>
        ApiError.InvalidValue(param, $"Invalid '{param}': no object with id '{(value.Length <= 128 ? value : value[..128])}' is in this list.");

    /// <summary>Ends a list that was begun with its <c>data</c>, and writes it as the response's body.</summary>
    public static async Task EndAsync(HttpContext http, PooledBuffer json, string? first, string? last, bool hasMore)
    {
        json.Append("],\"first_id\":"u8);
        json.AppendString(first);
        json.Append(",\"last_id\":"u8);
        json.AppendString(last);
        json.Append(hasMore ? ",\"has_more\":true}"u8 : ",\"has_more\":false}"u8);
        await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
    }

    private static string? NullIfEmpty(string? text) => string.IsNullOrEmpty(text) ? null : text;
}
