using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Gateway.Protocol.Responses;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.Net.Http.Headers;

namespace Gateway.Upstream;

/// <summary>
/// The body of a passed-through request, kept whole: the model may be its last member, and an attempt that failed is repeated with it. At most
/// as large as the server's limit for bodies.
/// </summary>
internal sealed class PassthroughBody : IDisposable
{
    private const long DefaultMaxBytes = 32 * 1024 * 1024;
    private const int MaxModelLength = 512;
    private const int MaxKeyLength = 1024;
    private const int FirstBuffer = 16 * 1024;
    private const int MaxNesting = 512;
    private const string ModelMember = "model";

    /// <summary>The longest way to write the member's name: each character as <c>\u0000</c>.</summary>
    private const int MaxModelMemberBytes = 6 * 5;

    private byte[] _buffer = [];

    /// <summary>Where the model's name stands in the body, with its quotes if it is JSON.</summary>
    private Range _modelPlace;
    private bool _isJson;
    private string? _written;

    private PassthroughBody()
    {
    }

    public int Length { get; private set; }

    /// <summary>The model by the client's name.</summary>
    public string Model { get; private set; } = "";

    /// <summary>Requests with one key share the beginning of their prompts; null when none is given.</summary>
    public string? PromptCacheKey { get; private set; }

    /// <summary>The body from its beginning. Not to be used after <see cref="Dispose"/>.</summary>
    public Stream OpenRead() => new MemoryStream(_buffer, 0, Length, writable: false);

    /// <summary>Reads the body and finds the model in it. With an error the body is gone.</summary>
    public static async ValueTask<(PassthroughBody? Body, ApiError? Error)> ReadAsync(HttpContext context)
    {
        var body = new PassthroughBody();
        ApiError? error = null;
        try
        {
            error = await body.FillAsync(context) ?? await body.FindModelAsync(context.Request);
            return error is null ? (body, null) : (null, error);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            error = TooLarge(context);
            return (null, error);
        }
        finally
        {
            if (error is not null)
            {
                body.Dispose();
            }
        }
    }

    /// <summary>Writes the upstream's name of the model where the client's stood.</summary>
    public void SetModel(string model)
    {
        if (string.Equals(model, _written ?? Model, StringComparison.Ordinal))
        {
            return;
        }

        _written = model;
        var name = Encoding.UTF8.GetBytes(_isJson ? $"\"{JavaScriptEncoder.Default.Encode(model)}\"" : model);
        var (start, length) = _modelPlace.GetOffsetAndLength(Length);
        var replaced = ArrayPool<byte>.Shared.Rent(Length - length + name.Length);
        _buffer.AsSpan(0, start).CopyTo(replaced);
        name.CopyTo(replaced.AsSpan(start));
        _buffer.AsSpan(start + length, Length - start - length).CopyTo(replaced.AsSpan(start + name.Length));
        Length += name.Length - length;
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = replaced;
        _modelPlace = start..(start + name.Length);
    }

    public void Dispose()
    {
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
            _buffer = [];
            Length = 0;
        }
    }

    private static ApiError TooLarge(HttpContext context) => ApiError.TooLarge("request body", MaxBytes(context));

    private static long MaxBytes(HttpContext context) =>
        context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? DefaultMaxBytes;

    private async ValueTask<ApiError?> FillAsync(HttpContext context)
    {
        var max = Math.Min(MaxBytes(context), Array.MaxLength);
        if (context.Request.ContentLength > max)
        {
            return TooLarge(context);
        }

        // Not the whole declared length at once: a client may declare much and send little.
        Grow((int)Math.Min(context.Request.ContentLength + 1 ?? FirstBuffer, 16 * FirstBuffer));
        while (true)
        {
            var read = await context.Request.Body.ReadAsync(_buffer.AsMemory(Length), context.RequestAborted);
            if (read == 0)
            {
                return null;
            }

            Length += read;
            if (Length > max)
            {
                return TooLarge(context);
            }

            if (Length == _buffer.Length)
            {
                Grow((int)Math.Min(2L * _buffer.Length, Array.MaxLength));
            }
        }
    }

    private void Grow(int size)
    {
        var larger = ArrayPool<byte>.Shared.Rent(size);
        _buffer.AsSpan(0, Length).CopyTo(larger);
        if (_buffer.Length > 0)
        {
            ArrayPool<byte>.Shared.Return(_buffer);
        }

        _buffer = larger;
    }

    private async ValueTask<ApiError?> FindModelAsync(HttpRequest request)
    {
        if (request.Query.ContainsKey(ModelMember))
        {
            // LiteLLM takes it before the body's.
            return ApiError.InvalidValue(ModelMember, "Invalid 'model': it belongs into the body, not into the query.");
        }

        if (MediaTypeHeaderValue.TryParse(request.ContentType, out var type) && type.MediaType.Equals("multipart/form-data", StringComparison.OrdinalIgnoreCase))
        {
            return HasOne(type.Parameters, "boundary")
                ? await FindModelInFormAsync(HeaderUtilities.RemoveQuotes(type.Boundary).Value)
                : ApiError.Invalid("invalid_value", null, "The multipart body must have one boundary.");
        }

        _isJson = true;
        if (FindModelInJson() is { } error)
        {
            return error;
        }

        if (type is null || !(type.SubType.Equals("json", StringComparison.OrdinalIgnoreCase) || type.Suffix.Equals("json", StringComparison.OrdinalIgnoreCase)))
        {
            // A server that goes by the type, as LiteLLM does for forms, must not find another model in it than was checked here.
            request.ContentType = "application/json";
        }

        return null;
    }

    private ApiError? FindModelInJson()
    {
        var body = _buffer.AsSpan(0, Length);
        try
        {
            var reader = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = MaxNesting });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            {
                return ApiError.NotJson("Expected an object.");
            }

            var found = false;
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isModel = reader.ValueTextEquals(ModelMember);
                if (!isModel && reader.ValueSpan.Length is >= 5 and <= MaxModelMemberBytes && IsModelInAnotherCase(reader.GetString()!) is { } ambiguous)
                {
                    return ambiguous;
                }

                var isKey = reader.ValueTextEquals("prompt_cache_key"u8);
                reader.Read();
                if (isKey && reader.TokenType == JsonTokenType.String && reader.ValueSpan.Length <= MaxKeyLength)
                {
                    PromptCacheKey = reader.GetString();
                    continue;
                }

                if (!isModel)
                {
                    reader.Skip();
                    continue;
                }

                if (found)
                {
                    // The upstream would perhaps take the other one than was checked here.
                    return ApiError.InvalidValue("model", "Invalid 'model': it is given twice.");
                }

                if (reader.TokenType != JsonTokenType.String)
                {
                    return ApiError.InvalidType("model", "a string", "something else");
                }

                found = true;
                Model = reader.GetString()!;
                _modelPlace = (int)reader.TokenStartIndex..(int)reader.BytesConsumed;
            }

            // Throws when something follows the object.
            reader.Read();
            return CheckModel(found);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: the name is no valid UTF-8.
            return ApiError.NotJson("It is not valid JSON.");
        }
    }

    private async ValueTask<ApiError?> FindModelInFormAsync(string? boundary)
    {
        if (string.IsNullOrEmpty(boundary))
        {
            return ApiError.Invalid("invalid_value", null, "The multipart body has no boundary.");
        }

        try
        {
            var found = false;
            var parts = 0;
            var reader = new MultipartReader(boundary, new MemoryStream(_buffer, 0, Length, writable: false));
            while (await reader.ReadNextSectionAsync() is { } section)
            {
                parts++;
                if (!ContentDispositionHeaderValue.TryParse(section.ContentDisposition, out var disposition) || !HasOne(disposition.Parameters, "name"))
                {
                    return ApiError.Invalid("invalid_value", null, "Each part of the multipart body must have one name.");
                }

                var name = HeaderUtilities.RemoveQuotes(disposition.Name);
                if (!name.Equals(ModelMember, StringComparison.Ordinal))
                {
                    if (name.HasValue && IsModelInAnotherCase(name.Value) is { } ambiguous)
                    {
                        return ambiguous;
                    }

                    continue;
                }

                if (found)
                {
                    return ApiError.InvalidValue("model", "Invalid 'model': it is given twice.");
                }

                found = true;
                var value = new byte[MaxModelLength * 4];
                var length = await section.Body.ReadAtLeastAsync(value, value.Length, throwOnEndOfStream: false);
                Model = Encoding.UTF8.GetString(value, 0, length);
                var start = (int)section.BaseStreamOffset!.Value;
                _modelPlace = start..(start + length);
            }

            // One before each part and one at the end. Where there are more, servers that are less strict about lines see other parts.
            return _buffer.AsSpan(0, Length).Count(Encoding.UTF8.GetBytes($"--{boundary}")) == parts + 1
                ? CheckModel(found)
                : ApiError.Invalid("invalid_value", null, "The multipart body holds its boundary elsewhere than between its parts.");
        }
        catch (Exception e) when (e is IOException or InvalidDataException)
        {
            return ApiError.Invalid("invalid_value", null, "The multipart body can not be read.");
        }
    }

    /// <summary>The parameter is given once, and not in the extended form of RFC 2231: servers differ in which of several they take, and in whether they know that form.</summary>
    private static bool HasOne(IList<NameValueHeaderValue> parameters, string name)
    {
        var given = parameters.Where(p => p.Name.Equals(name, StringComparison.OrdinalIgnoreCase) || p.Name.StartsWith($"{name}*", StringComparison.OrdinalIgnoreCase));
        return given.Take(2).ToList() is [var only] && only.Name.Length == name.Length;
    }

    /// <summary>An error for a name that some servers (those written in Go) take for the model's too, and would perhaps prefer to what was checked here.</summary>
    private static ApiError? IsModelInAnotherCase(string name) => name.Equals(ModelMember, StringComparison.OrdinalIgnoreCase)
        ? ApiError.InvalidValue(name, $"Invalid '{name}': the name of this parameter is 'model'.")
        : null;

    private ApiError? CheckModel(bool found) =>
        !found || Model.Length == 0 ? ApiError.MissingParameter("model")
        : Model.Length > MaxModelLength ? ApiError.StringTooLong("model", MaxModelLength, Model.Length)
        : null;
}
