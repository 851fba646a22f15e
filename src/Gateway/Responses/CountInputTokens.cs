using Gateway.Policy;
using Gateway.Protocol.Json;
using Gateway.Protocol.Responses;

namespace Gateway.Responses;

/// <summary>
/// Says how many tokens the prompt of a response would have, without making it: the same checks, the same context and the same translation, and
/// nothing is kept (Responses API reference, section 5.3).
/// </summary>
internal sealed class CountInputTokens(ResponsePreparer preparer, ResponseMaker maker, OpenStreamLimiter limiter, StopDeadline stop)
{
    /// <summary>Says with <c>true</c> that the number is an estimate, as the member <c>estimated</c> of the answer does.</summary>
    public const string EstimatedHeader = "x-input-tokens-estimated";

    /// <summary>Answers one POST. The returned error is to be told in the client's dialect; null when the answer has been written.</summary>
    public async Task<ApiError?> RunAsync(HttpContext http, Dialect dialect, Tenant tenant)
    {
        using var body = await RequestBody.ReadAsync(http);
        if (preparer.ParseForCount(body.WrittenMemory, dialect, tenant, out var request) is { } invalid)
        {
            return invalid;
        }

        if (limiter.TryEnter(tenant, out var slot) is { } limited)
        {
            return limited;
        }

        using (slot)
        {
            var (prepared, error) = await preparer.PrepareAsync(dialect, tenant, request!, http.RequestAborted);
            if (prepared is null)
            {
                return error;
            }

            await using var conversation = prepared.Conversation;
            var (count, failed) = await maker.CountAsync(prepared, stop.Over, http.RequestAborted);
            if (failed is not null)
            {
                return failed;
            }

            using var json = new PooledBuffer(128);
            json.Append("{\"object\":\"response.input_tokens\",\"input_tokens\":"u8);
            json.Append(count.Tokens);
            if (count.IsEstimate)
            {
                json.Append(",\"estimated\":true"u8);
                http.Response.Headers[EstimatedHeader] = "true";
            }

            json.Append("}"u8);
            await JsonBody.WriteAsync(http, StatusCodes.Status200OK, json);
            return null;
        }
    }
}
