using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Gateway.Protocol.Responses;

namespace Gateway.Protocol.ChatCompletions;

/// <summary>
/// Reads the errors of Chat Completions servers, in every shape they are known to have, and says what the client is told instead. What a
/// client sees never holds HTML, hosts, URLs or keys, and at most 2 KB (upstream reference, section 9.2).
/// </summary>
public static partial class UpstreamErrorReader
{
    /// <summary>The longest message kept, in bytes of UTF-8.</summary>
    public const int MaxMessageBytes = 2048;

    private static readonly TimeSpan PatternTimeout = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(1);

    /// <summary>The client's error for an error status of the upstream.</summary>
    /// <param name="status">The upstream's HTTP status, 400 or above.</param>
    /// <param name="body">The body or its beginning; may be empty, HTML, or cut.</param>
    /// <param name="contextPatterns">Regular expressions that mean "context too long", beside the built-in ones.</param>
    /// <param name="retryAfter">What the upstream's <c>Retry-After</c> said; null when it said nothing.</param>
    public static ApiError FromBody(int status, ReadOnlySpan<byte> body, IReadOnlyList<string> contextPatterns, TimeSpan? retryAfter = null)
    {
        ArgumentNullException.ThrowIfNull(contextPatterns);
        return Map(status, Read(body), contextPatterns, retryAfter);
    }

    /// <summary>The client's error for an error object inside a 200: a stream's chunk, or the whole body.</summary>
    /// <param name="json">The JSON of the chunk or body.</param>
    /// <param name="contextPatterns">Regular expressions that mean "context too long", beside the built-in ones.</param>
    public static ApiError FromStreamError(ReadOnlySpan<byte> json, IReadOnlyList<string> contextPatterns)
    {
        ArgumentNullException.ThrowIfNull(contextPatterns);
        var error = Read(json);
        return Map(error.Status ?? StatusOfKind(error) ?? 500, error, contextPatterns, retryAfter: null);
    }

    /// <summary>The HTTP status that an error object inside a 200 names, or that its type and code mean. Null when it says nothing of the kind.</summary>
    /// <param name="json">The JSON of the chunk or body.</param>
    public static int? ReadStatus(ReadOnlySpan<byte> json)
    {
        var error = Read(json);
        return error.Status ?? StatusOfKind(error);
    }

    /// <summary>The server's own words, at most 2 KB, to recognise a refused parameter by. Not for clients or logs. Null when there are none.</summary>
    public static string? ReadMessage(ReadOnlySpan<byte> body) => Read(body).Message is { } message ? Cut(message) : null;

    /// <summary>The error says that the server does not have the model.</summary>
    public static bool IsUnknownModel(int status, ReadOnlySpan<byte> body) => status is 400 or 404 && IsUnknownModel(Read(body));

    /// <summary>The two numbers that a "context too long" message names, so that it is known how much is too much.</summary>
    /// <param name="message">The server's message.</param>
    /// <param name="contextLength">Tokens the model can hold.</param>
    /// <param name="inputTokens">Tokens of the input alone.</param>
    public static bool TryReadContextNumbers(string message, out int contextLength, out int inputTokens)
    {
        ArgumentNullException.ThrowIfNull(message);
        contextLength = inputTokens = 0;
        foreach (var pattern in (ReadOnlySpan<Regex>)[RequestedTokens, PassedTokens, InputThenLimit, LimitThenGiven])
        {
            var match = pattern.Match(message);
            if (match.Success)
            {
                return int.TryParse(match.Groups["limit"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out contextLength)
                    && int.TryParse(match.Groups["input"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out inputTokens);
            }
        }

        return false;
    }

    /// <summary>The one number that a "context too long" message names although it does not say how long the input is.</summary>
    /// <param name="message">The server's message.</param>
    /// <param name="contextLength">Tokens the model can hold.</param>
    public static bool TryReadContextLength(string message, out int contextLength)
    {
        ArgumentNullException.ThrowIfNull(message);
        contextLength = 0;
        return ContextLimit.Match(message) is { Success: true } match
            && int.TryParse(match.Groups["limit"].ValueSpan, NumberStyles.None, CultureInfo.InvariantCulture, out contextLength);
    }

    private static ApiError Map(int status, Details error, IReadOnlyList<string> contextPatterns, TimeSpan? retryAfter)
    {
        // A limit of tokens a minute reads like a limit of the context, and a refused key says nothing about either.
        if (status is not (401 or 403 or 429) && IsContextLength(error, contextPatterns))
        {
            return ApiError.ContextLengthExceeded();
        }

        switch (status)
        {
            case 401 or 403:
                return ApiError.UpstreamAuth();
            case 402:
                return ApiError.UpstreamError("The model server refused the gateway's account. Ask the operator of this gateway to check it.");
            case 404 when IsUnknownModel(error):
                return ApiError.UpstreamError("The model server does not have the model that this gateway asks it for.");
            case 404 when error.Message is null || string.Equals(error.Message, "Not Found", StringComparison.OrdinalIgnoreCase):
            case 405:
                return ApiError.UpstreamError("The model server does not have this endpoint.");
            case 408 or 504:
                return ApiError.UpstreamTimeout();
            case 413:
                return new ApiError(413, ApiError.InvalidRequestType, "request_too_large", null, Message(error, "The request is too large for the model server."));
            case 429:
                return ApiError.RateLimited("The model server has reached its limit of requests.", retryAfter ?? DefaultRetryAfter);
            case 503:
                return ApiError.UpstreamUnavailable() with { RetryAfter = retryAfter ?? DefaultRetryAfter };
            case >= 400 and < 500:
            case 500 when error.Message is { } text && TemplateError.IsMatch(text):
                return ApiError.Invalid(CodeOf(error), ParamOf(error.Param), Message(error, "The model server refused the request."));
            default:
                return ApiError.UpstreamError(Message(error, "The model server failed."));
        }
    }

    private static bool IsContextLength(Details error, IReadOnlyList<string> patterns)
    {
        if (error.Code is "context_length_exceeded" || error.Type is "context_length_exceeded" or "exceed_context_size_error" or "ContextWindowExceededError")
        {
            return true;
        }

        return error.Message is { } message && (ContextLength.IsMatch(message) || patterns.Any(p => Matches(message, p)));

        static bool Matches(string message, string pattern)
        {
            try
            {
                return Regex.IsMatch(message, pattern, RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, PatternTimeout);
            }
            catch (RegexMatchTimeoutException)
            {
                // The operator's pattern is too slow for this message: it then does not say what the message means.
                return false;
            }
        }
    }

    private static bool IsUnknownModel(Details error) =>
        error.Code is "model_not_found" || error.Type is "model_not_found" || (error.Message is { } message && UnknownModel.IsMatch(message));

    /// <summary>What an error object without a status number means, by the words of its type and code.</summary>
    private static int? StatusOfKind(Details error)
    {
        var kind = $"{error.Type} {error.Code}";
        bool Has(string word) => kind.Contains(word, StringComparison.OrdinalIgnoreCase);
        return Has("rate_limit") || Has("RateLimit") || Has("too_many_requests") ? 429
            : Has("BadRequest") || Has("invalid_request") || Has("validation") ? 400
            : Has("overloaded") || Has("unavailable") ? 503
            : Has("timeout") ? 504
            : Has("server_error") || Has("internal") ? 500
            : null;
    }

    /// <summary>Words go on as the code, numbers do not: they repeat the status.</summary>
    private static string? CodeOf(Details error) => error.Code is { } code && CodeWord.IsMatch(code) ? code : null;

    /// <summary>The Responses API's name for a parameter of Chat Completions.</summary>
    private static string? ParamOf(string? param) => param switch
    {
        null => null,
        "max_tokens" or "max_completion_tokens" => "max_output_tokens",
        "reasoning_effort" => "reasoning.effort",
        "verbosity" => "text.verbosity",
        "input_tokens" => "input",
        _ when param.StartsWith("messages", StringComparison.Ordinal) => "input",
        _ when param.StartsWith("response_format", StringComparison.Ordinal) => "text.format",
        _ => ParamName.IsMatch(param) ? param : null,
    };

    private static string Message(Details error, string otherwise) => error.Message is { } message ? Hide(message) : otherwise;

    private static string Hide(string message)
    {
        message = Keys.Replace(message, "[key]");
        message = Urls.Replace(message, "[url]");
        return Cut(Hosts.Replace(message, "[host]"));
    }

    private static string Cut(string message)
    {
        if (Encoding.UTF8.GetByteCount(message) <= MaxMessageBytes)
        {
            return message;
        }

        Span<byte> bytes = stackalloc byte[MaxMessageBytes];
        Encoding.UTF8.GetEncoder().Convert(message, bytes, flush: false, out var chars, out _, out _);
        return message[..chars];
    }

    private static Details Read(ReadOnlySpan<byte> body)
    {
        body = TrimToJson(body);
        if (body.IsEmpty || body[0] == (byte)'<')
        {
            return default;
        }

        if (body[0] is not ((byte)'{' or (byte)'['))
        {
            return new Details(Clean(Encoding.UTF8.GetString(body)), null, null, null, null);
        }

        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { AllowTrailingCommas = true });
            using var document = JsonDocument.ParseValue(ref reader);
            var root = document.RootElement;
            if (root.ValueKind == JsonValueKind.Array)
            {
                root = root.GetArrayLength() > 0 ? root[0] : default;
            }

            return root.ValueKind == JsonValueKind.Object ? ReadObject(root) : default;
        }
        catch (JsonException)
        {
            // Cut at the size limit, or no JSON after all: the status alone has to do.
            return default;
        }
        catch (InvalidOperationException)
        {
            // A string with invalid UTF-8 or half a surrogate pair inside.
            return default;
        }
    }

    /// <summary>Some servers write their errors as an event even when they refuse the stream.</summary>
    private static ReadOnlySpan<byte> TrimToJson(ReadOnlySpan<byte> body)
    {
        body = (body.StartsWith("\uFEFF"u8) ? body[3..] : body).Trim(" \t\r\n"u8);
        if (body.StartsWith("event:"u8) && body.IndexOf((byte)'\n') is var end and > 0)
        {
            body = body[(end + 1)..];
        }

        return (body.StartsWith("data:"u8) ? body["data:"u8.Length..] : body).Trim(" \t\r\n"u8);
    }

    private static Details ReadObject(JsonElement root)
    {
        var error = Get(root, "error") is { ValueKind: JsonValueKind.Object } inner ? inner : root;
        var message = Text(error, "message") ?? Text(root, "message") ?? Detail(error) ?? Detail(root) ?? Text(root, "error");
        var code = Text(error, "code") ?? Text(root, "code");
        message = WithNumbers(message, error);
        var status = Number(error, "code") ?? Number(error, "status") ?? Number(root, "code") ?? Number(root, "status_code") ?? Number(code);
        return new Details(Clean(message), Text(error, "type") ?? Text(root, "error_type"), code, status, Text(error, "param"));
    }

    /// <summary>llama.cpp has the numbers of a context that is too long in members, and not in every version in the message too.</summary>
    private static string? WithNumbers(string? message, JsonElement error) =>
        message is not null && !InputThenLimit.IsMatch(message) && Count(error, "n_prompt_tokens") is { } prompt && Count(error, "n_ctx") is { } window
            ? string.Create(CultureInfo.InvariantCulture, $"{message} (request ({prompt} tokens), context ({window} tokens))")
            : message;

    /// <summary>FastAPI's <c>detail</c>: a text, an object with a message, or a list of what is wrong where.</summary>
    private static string? Detail(JsonElement parent)
    {
        switch (Get(parent, "detail"))
        {
            case { ValueKind: JsonValueKind.String } text:
                return text.GetString();
            case { ValueKind: JsonValueKind.Object } inner:
                return Text(inner, "message") ?? Text(inner, "error");
            case { ValueKind: JsonValueKind.Array } list:
                var parts = list.EnumerateArray().Where(e => e.ValueKind == JsonValueKind.Object).Take(3).Select(e => $"{Place(e)}{Text(e, "msg")}");
                return string.Join("; ", parts) is { Length: > 0 } joined ? joined : null;
            default:
                return null;
        }

        static string Place(JsonElement entry) =>
            Get(entry, "loc") is { ValueKind: JsonValueKind.Array } loc ? $"{string.Join('.', loc.EnumerateArray().Select(p => p.ToString()))}: " : "";
    }

    private static JsonElement? Get(JsonElement parent, string name) => parent.TryGetProperty(name, out var value) ? value : null;

    private static string? Text(JsonElement parent, string name) =>
        Get(parent, name) is { ValueKind: JsonValueKind.String } value && value.GetString() is { Length: > 0 } text ? text : null;

    private static int? Count(JsonElement parent, string name) =>
        Get(parent, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) && number > 0 ? number : null;

    private static int? Number(JsonElement parent, string name) =>
        Get(parent, name) is { ValueKind: JsonValueKind.Number } value && value.TryGetInt32(out var number) && number is >= 400 and < 600 ? number : null;

    private static int? Number(string? code) =>
        int.TryParse(code, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number is >= 400 and < 600 ? number : null;

    /// <summary>The text without control characters; null when it is empty or HTML.</summary>
    private static string? Clean(string? text)
    {
        if (string.IsNullOrWhiteSpace(text) || Html.IsMatch(text))
        {
            return null;
        }

        // More than is ever kept, so that hiding does not read megabytes.
        text = text.Length > 4 * MaxMessageBytes ? text[..(4 * MaxMessageBytes)] : text;
        return ControlCharacters.Replace(text, " ").Trim();
    }

    private readonly record struct Details(string? Message, string? Type, string? Code, int? Status, string? Param);

    private const RegexOptions Words = RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;

    [GeneratedRegex(
        "maximum (context|model) (length|size)|context[_ ]length[_ ]exceeded|model's context length|context size has been exceeded|exceeds the (available )?context size|"
        + @"exceeds the maximum allowed length|ContextWindowExceeded|`inputs` tokens \+ `max_new_tokens` must be|prompt is too long|input is too long|"
        + "too many tokens|context window", Words)]
    private static partial Regex ContextLength { get; }

    [GeneratedRegex(@"(context length is( only)?|maximum model length of|context size|must be <=|tokens >) \(?(?<limit>\d+)", Words)]
    private static partial Regex ContextLimit { get; }

    [GeneratedRegex("raise_exception|Unsupported param|chat template|jinja", Words)]
    private static partial Regex TemplateError { get; }

    [GeneratedRegex("model[^.]{0,200}(not found|does not exist|not exist|is not available|no such model)|(unknown|invalid|no such) model", Words)]
    private static partial Regex UnknownModel { get; }

    // "at least" is where a server stopped counting: no number to reckon with.
    [GeneratedRegex(
        @"maximum context length is (?<limit>\d+) tokens.{0,40}(requested \d+ tokens \((?<input>\d+) in the messages|resulted in (?<input>\d+) tokens|your request has (?<input>\d+) input tokens)|"
        + @"maximum context length is (?<limit>\d+) tokens.{0,60}requested \d+ output tokens and your prompt contains (?<input>\d+) input tokens", Words)]
    private static partial Regex RequestedTokens { get; }

    [GeneratedRegex(@"passed (?<input>\d+) input tokens.{0,80}context length is only (?<limit>\d+) tokens", Words)]
    private static partial Regex PassedTokens { get; }

    [GeneratedRegex(
        @"(input|input length|request) \((?<input>\d+) tokens\).{0,60}\((?<limit>\d+) tokens\)|prompt is too long: (?<input>\d+) tokens > (?<limit>\d+)|"
        + @"prompt \(length (?<input>\d+)\) is longer than the maximum model length of (?<limit>\d+)|"
        + @"input length \((?<input>\d+)\) exceeds model's maximum context length \((?<limit>\d+)\)", Words)]
    private static partial Regex InputThenLimit { get; }

    [GeneratedRegex(@"must be <= (?<limit>\d+)\. Given: (?<input>\d+) `inputs` tokens", Words)]
    private static partial Regex LimitThenGiven { get; }

    [GeneratedRegex("^[a-z][a-z0-9_]{0,63}$", RegexOptions.CultureInvariant)]
    private static partial Regex CodeWord { get; }

    [GeneratedRegex(@"^[A-Za-z_][A-Za-z0-9_.\[\]-]{0,127}$", RegexOptions.CultureInvariant)]
    private static partial Regex ParamName { get; }

    [GeneratedRegex(@"<(!doctype|html|head|body|title|h1|center)\b", Words)]
    private static partial Regex Html { get; }

    [GeneratedRegex(@"\p{Cc}+", RegexOptions.CultureInvariant)]
    private static partial Regex ControlCharacters { get; }

    [GeneratedRegex(@"\b[a-z][a-z0-9+.-]{0,20}://[^\s""'<>)\]]+", Words)]
    private static partial Regex Urls { get; }

    [GeneratedRegex(
        @"\b\d{1,3}(\.\d{1,3}){3}(:\d+)?\b|\[[0-9a-f:]*:[0-9a-f:]*\](:\d+)?|\b(localhost|[a-z0-9-]+(\.[a-z0-9-]+)+):\d{2,5}\b|(?<=\bhost=['""]?)[^'"",)\s]+|"
        + @"\b([a-z0-9-]+\.)+(com|net|org|io|ai|dev|app|cloud|local|internal|svc|lan)\b", Words)]
    private static partial Regex Hosts { get; }

    [GeneratedRegex(
        @"\b(sk|pk|fw|hf|gsk|xai|key|api[-_]?key)[-_][a-z0-9*._-]{6,}|\bbearer\s+\S+|\beyJ[a-z0-9_-]{8,}(\.[a-z0-9_-]+)*|\b[a-z0-9_]{32,}\b", Words)]
    private static partial Regex Keys { get; }
}
