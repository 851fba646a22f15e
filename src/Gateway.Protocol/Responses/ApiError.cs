using System.Globalization;

namespace Gateway.Protocol.Responses;

/// <summary>
/// One error of the API's catalogue: the HTTP status and the four members of the body's <c>error</c> object. It is a value, not an
/// exception: an expected outcome travels as a return value up to the border that renders it in the client's dialect.
/// </summary>
/// <param name="Status">HTTP status code, used when nothing has been sent yet.</param>
/// <param name="Type">The <c>type</c> member, such as <c>invalid_request_error</c>.</param>
/// <param name="Code">The <c>code</c> member, or null where the catalogue has none.</param>
/// <param name="Param">The field the error is about (<c>input[0].content</c>), or null.</param>
/// <param name="Message">A sentence for the developer of the client. Never holds prompt text, secrets or host names.</param>
public sealed record ApiError(int Status, string Type, string? Code, string? Param, string Message)
{
    public const string InvalidRequestType = "invalid_request_error";
    public const string ServerErrorType = "server_error";
    public const string RateLimitType = "rate_limit_error";

    /// <summary>Time to wait before a retry, sent as <c>Retry-After</c>; null to send none.</summary>
    public TimeSpan? RetryAfter { get; init; }

    public static ApiError Invalid(string? code, string? param, string message) => new(400, InvalidRequestType, code, param, message);

    public static ApiError NotJson(string detail) =>
        Invalid(null, null, $"We could not parse the JSON body of your request. {detail}");

    public static ApiError MissingParameter(string param) =>
        Invalid("missing_required_parameter", param, $"Missing required parameter: '{param}'.");

    public static ApiError InvalidType(string param, string expected, string got) =>
        Invalid("invalid_type", param, $"Invalid type for '{param}': expected {expected}, but got {got} instead.");

    public static ApiError InvalidValue(string param, string message) => Invalid("invalid_value", param, message);

    public static ApiError IllFormedId(string param, string id) =>
        InvalidValue(param, $"Invalid '{param}': '{Shorten(id)}'. Expected an ID of at most 128 letters, numbers, underscores, or dashes.");

    public static ApiError InvalidEnum(string param, string value, IEnumerable<string> supported) =>
        Invalid("invalid_value", param, $"Invalid value: '{Shorten(value)}'. Supported values are: {string.Join(", ", supported.Select(s => $"'{s}'"))}.");

    public static ApiError IntegerBelowMin(string param, long min, string got) =>
        Invalid("integer_below_min_value", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': integer below minimum value. Expected a value >= {min}, but got {got} instead."));

    public static ApiError IntegerAboveMax(string param, long max, string got) =>
        Invalid("integer_above_max_value", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': integer above maximum value. Expected a value <= {max}, but got {got} instead."));

    public static ApiError DecimalBelowMin(string param, double min, string got) =>
        Invalid("decimal_below_min_value", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': decimal below minimum value. Expected a value >= {min}, but got {got} instead."));

    public static ApiError DecimalAboveMax(string param, double max, string got) =>
        Invalid("decimal_above_max_value", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': decimal above maximum value. Expected a value <= {max}, but got {got} instead."));

    public static ApiError StringTooLong(string param, int max, int got) =>
        Invalid("string_above_max_length", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': string too long. Expected a string with maximum length {max}, but got a string with length {got} instead."));

    public static ApiError ArrayTooLong(string param, int max, int got) =>
        Invalid("array_above_max_length", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': array too long. Expected an array with maximum length {max}, but got an array with length {got} instead."));

    public static ApiError ObjectTooLarge(string param, int max, int got) =>
        Invalid("object_above_max_properties", param, string.Create(CultureInfo.InvariantCulture, $"Invalid '{param}': too many properties. Expected an object with at most {max} properties, but got an object with {got} properties instead."));

    public static ApiError UnsupportedParameter(string param, string reason) =>
        Invalid("unsupported_parameter", param, $"Unsupported parameter: '{param}' {reason}");

    public static ApiError UnsupportedValue(string param, string message) => Invalid("unsupported_value", param, message);

    public static ApiError ModelNotFound(string model) =>
        Invalid("model_not_found", "model", $"The requested model '{Shorten(model)}' does not exist.");

    /// <summary>One answer for unknown, expired, deleted, unstored and foreign parents, so that nobody learns which it is.</summary>
    public static ApiError PreviousResponseNotFound(string id) =>
        Invalid("previous_response_not_found", "previous_response_id", $"Previous response with id '{Shorten(id)}' not found.");

    public static ApiError PreviousResponseFailed(string id) =>
        Invalid("previous_response_not_found", "previous_response_id", $"Previous response with id '{Shorten(id)}' failed and can not be continued.");

    public static ApiError ResponseNotFound(string id) =>
        new(404, InvalidRequestType, null, null, $"Response with id '{Shorten(id)}' not found.");

    public static ApiError ItemNotFound(string id) =>
        new(404, InvalidRequestType, null, "input", $"Item with id '{Shorten(id)}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input.");

    public static ApiError ConversationNotFound(string id) =>
        new(404, InvalidRequestType, null, null, $"Conversation with id '{Shorten(id)}' not found.");

    /// <summary>Somebody else writes to the conversation.</summary>
    public static ApiError ConversationLocked() =>
        Invalid("conversation_locked", "conversation", "Another process is currently operating on this conversation. Please retry in a few seconds.");

    /// <summary>The conversation went while a response was made in it.</summary>
    public static ApiError ConversationDeleted() =>
        new(404, InvalidRequestType, "conversation_deleted", "conversation", "The conversation was deleted while the response was made.");

    public static ApiError ConversationItemNotFound(string id) =>
        new(404, InvalidRequestType, null, null, $"Item with id '{Shorten(id)}' not found.");

    /// <param name="param">The member with the items: <c>input</c> or <c>items</c>.</param>
    /// <param name="id">The id of an item that is in the conversation already.</param>
    public static ApiError DuplicateItem(string param, string id) =>
        Invalid(null, param, $"Duplicate item found with id {Shorten(id)}. Remove duplicate items from your input and try again.");

    /// <summary>What is asked for would have to be kept, and nothing is kept for this tenant.</summary>
    public static ApiError StorageNotAllowed() =>
        new(403, InvalidRequestType, "storage_not_allowed", null, "Nothing may be stored with this API key.");

    public static ApiError NoCallForOutput(string kind, string callId) =>
        Invalid(null, "input", callId.Length == 0 ? $"No tool call found for {kind} without a call_id." : $"No tool call found for {kind} with call_id {Shorten(callId)}.");

    public static ApiError NoOutputForCall(string kind, string callId) =>
        Invalid(null, "input", $"No tool output found for {kind} {Shorten(callId)}.");

    public static ApiError ContextLengthExceeded() =>
        Invalid("context_length_exceeded", "input", "Your input exceeds the context window of this model. Please adjust your input and try again.");

    public static ApiError InvalidApiKey() =>
        new(401, InvalidRequestType, "invalid_api_key", null, "Incorrect API key provided. Send a valid key as 'Authorization: Bearer KEY'.");

    public static ApiError TooLarge(string what, long maxBytes) =>
        new(413, InvalidRequestType, "request_too_large", null, string.Create(CultureInfo.InvariantCulture, $"The {what} is too large: the limit is {maxBytes} bytes."));

    /// <summary>The number at the end is parsed by clients ("Please try again in 1.5s.").</summary>
    public static ApiError RateLimited(string message, TimeSpan retryAfter) =>
        new(429, RateLimitType, "rate_limit_exceeded", null, string.Create(CultureInfo.InvariantCulture, $"{message} Please try again in {Math.Max(0.1, retryAfter.TotalSeconds):0.0##}s.")) { RetryAfter = retryAfter };

    public static ApiError UpstreamUnavailable() =>
        new(503, ServerErrorType, "upstream_unavailable", null, "No model server could be reached for this model. Please try again later.") { RetryAfter = TimeSpan.FromSeconds(1) };

    /// <summary>Every model server works on as many requests as the gateway may give it.</summary>
    public static ApiError UpstreamOverloaded(string message) =>
        new(503, ServerErrorType, "upstream_overloaded", null, $"{message} Please try again later.") { RetryAfter = TimeSpan.FromSeconds(5) };

    public static ApiError UpstreamTimeout() =>
        new(504, ServerErrorType, "upstream_timeout", null, "The model server did not answer in time.");

    /// <summary>Making the response took longer than the gateway lets any response take.</summary>
    public static ApiError ResponseTimeout() =>
        new(504, ServerErrorType, "response_timeout", null, "The response took longer than this gateway's limit.");

    /// <summary>The response is still being made, and whoever waited for its end waited as long as making one may take.</summary>
    public static ApiError ResponseUnfinished() =>
        new(504, ServerErrorType, "response_unfinished", null, "The response is still being made. Send the same request with the same Idempotency-Key again to wait for its end.") { RetryAfter = TimeSpan.FromSeconds(1) };

    public static ApiError UpstreamError(string message) => new(502, ServerErrorType, "upstream_error", null, message);

    public static ApiError UpstreamAuth() =>
        new(502, ServerErrorType, "upstream_auth", null, "The model server refused the gateway's credentials. Ask the operator of this gateway to check them.");

    public static ApiError StoreUnavailable() =>
        new(503, ServerErrorType, "store_unavailable", null, "The response store is not available. Please try again later.") { RetryAfter = TimeSpan.FromSeconds(1) };

    /// <summary>During an upgrade another replica can read it: clients try again by themselves.</summary>
    public static ApiError StoredByNewerVersion() => new(
        503, ServerErrorType, "stored_by_newer_version", null,
        "What this request needs was stored by a newer version of the gateway, and this replica can not read it. It has to be upgraded.")
    { RetryAfter = TimeSpan.FromSeconds(1) };

    public static ApiError Stopping() =>
        new(503, ServerErrorType, "gateway_stopping", null, "This replica of the gateway is stopping. Please try again.") { RetryAfter = TimeSpan.FromSeconds(1) };

    public static ApiError TooManyAttempts() => new(
        500, ServerErrorType, "server_error", null, "The response was begun again and again without coming to an end. It was given up.");

    public static ApiError ResponseInProgress(string id) => new(
        409, InvalidRequestType, "previous_response_in_progress", "previous_response_id", $"Previous response with id '{Shorten(id)}' is still in progress. Wait until it has ended.");

    public static ApiError IdempotencyKeyReused() => new(
        409, InvalidRequestType, "idempotency_key_reused", "Idempotency-Key", "This Idempotency-Key was used with another request body. Use a new key for a new request.");

    public static ApiError IdempotencyKeyInUse() => new(
        409, InvalidRequestType, "idempotency_key_in_use", "Idempotency-Key",
        "A request with this Idempotency-Key is being made, or was made without being stored, so that its response can not be given again.");

    public static ApiError Internal() =>
        new(500, ServerErrorType, "internal_error", null, "The gateway had an internal error while processing your request. It has been logged.");

    /// <summary>Values given by the client are quoted back at most this long, so that an error never carries a prompt.</summary>
    private static string Shorten(string value) => value.Length <= 128 ? value : string.Concat(value.AsSpan(0, 128), "…");
}
