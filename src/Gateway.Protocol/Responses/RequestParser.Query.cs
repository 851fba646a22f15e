namespace Gateway.Protocol.Responses;

public static partial class RequestParser
{
    /// <summary>Checks the <c>include</c> values of a query string. Null when all are known.</summary>
    public static ApiError? CheckIncludes(IEnumerable<string?> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        var index = 0;
        foreach (var value in values)
        {
            if (value is null || !RequestFields.IncludeValues.ContainsKey(value))
            {
                return ApiError.InvalidEnum($"include[{index}]", value ?? "null", RequestFields.IncludeValues.Keys);
            }

            index++;
        }

        return null;
    }
}
