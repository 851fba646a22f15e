using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json;
using Gateway.Protocol.Sse;

namespace Gateway.Check;

/// <summary>The connection to the gateway under check. It remembers what the gateway made, and deletes it again.</summary>
internal sealed class CheckHttp : IDisposable
{
    /// <summary>The member of <c>metadata</c> that marks all that one check makes.</summary>
    public const string RunMember = "gateway_check";

    private const int MaxAnswerBytes = 16 * 1024 * 1024;
    private const int MaxPages = 20;

    private readonly ConcurrentDictionary<string, byte> _made = new();
    private readonly HttpClient _client;
    private int _unknown;

    /// <param name="url">The gateway's address, without <c>/v1</c>.</param>
    /// <param name="key">A bearer key; null for none.</param>
    public CheckHttp(Uri url, string? key)
    {
        // Straight to the gateway: a proxy of the environment is for elsewhere, and a redirect would take the key along.
        _client = new HttpClient(new SocketsHttpHandler { UseProxy = false, AllowAutoRedirect = false })
        {
            BaseAddress = url,
            MaxResponseContentBufferSize = MaxAnswerBytes,
            Timeout = Timeout.InfiniteTimeSpan,
        };
        if (key is not null)
        {
            _client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
        }
    }

    /// <summary>A word that nobody else's responses have as their <see cref="RunMember"/>.</summary>
    public string Run { get; } = Guid.NewGuid().ToString("N");

    /// <summary>An answer did not tell what became of a request to make a response.</summary>
    public bool MayHaveLost => Volatile.Read(ref _unknown) > 0;

    /// <param name="method">The method.</param>
    /// <param name="path">From the gateway's address on, without a slash in front.</param>
    /// <param name="json">The body; null for none.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public async Task<Answer> SendAsync(HttpMethod method, string path, string? json, CancellationToken cancellationToken)
    {
        var creates = IsCreate(method, path);
        using var request = Request(method, path, json, creates);
        using var response = await _client.SendAsync(request, cancellationToken);
        var answer = new Answer((int)response.StatusCode, JsonReading.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken)));
        if (creates)
        {
            Settle(answer);
        }

        return answer;
    }

    /// <summary>Creates a streamed response, and gives each event's data as it comes.</summary>
    /// <param name="path">As for <see cref="SendAsync"/>.</param>
    /// <param name="json">The body.</param>
    /// <param name="refused">Called with an answer that is no stream of events; there are no events then.</param>
    /// <param name="cancellationToken">Ends the request.</param>
    public async IAsyncEnumerable<byte[]> StreamAsync(string path, string json, Action<Answer> refused, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var request = Request(HttpMethod.Post, path, json, creates: true);
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
        {
            await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken);
            var answer = new Answer((int)response.StatusCode, JsonReading.Parse(await response.Content.ReadAsByteArrayAsync(cancellationToken)));
            Settle(answer);
            refused(answer);
            yield break;
        }

        var isKnown = false;
        using var reader = new SseReader(MaxAnswerBytes);
        await using var stream = await response.Content.ReadAsStreamAsync(cancellationToken);
        for (var read = -1; read != 0;)
        {
            read = await stream.ReadAsync(reader.GetBuffer(), cancellationToken);
            reader.Advance(read);
            if (read == 0)
            {
                reader.Complete();
            }

            while (TryTake(reader) is { } data)
            {
                if (!isKnown && Remember(JsonReading.Parse(data).At("response")))
                {
                    isKnown = true;
                    Interlocked.Decrement(ref _unknown);
                }

                yield return data;
            }
        }
    }

    /// <summary>Deletes all responses that were made since the last call.</summary>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>The ids of those that could not be deleted.</returns>
    public async Task<IReadOnlyList<string>> DeleteMadeAsync(CancellationToken cancellationToken)
    {
        List<string> left = [];
        foreach (var id in _made.Keys)
        {
            _made.TryRemove(id, out _);
            if (!await DeleteAsync(id, cancellationToken))
            {
                left.Add(id);
            }
        }

        return left;
    }

    /// <summary>
    /// Looks through the newest responses of the tenant for some of this check's, whose ids no answer told. The next
    /// <see cref="DeleteMadeAsync"/> deletes them.
    /// </summary>
    /// <param name="since">Older ones, by an hour for clocks that differ, are not looked at.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task FindLostAsync(DateTimeOffset since, CancellationToken cancellationToken)
    {
        var oldest = since.AddHours(-1).ToUnixTimeSeconds();
        var after = "";
        for (var page = 0; page < MaxPages; page++)
        {
            var list = await SendAsync(HttpMethod.Get, $"v1/responses?limit=100{after}", null, cancellationToken);
            var responses = list.Json.List("data");
            foreach (var response in responses.Where(response => response.Text("metadata", RunMember) == Run))
            {
                Remember(response);
            }

            if (list.Json.Truth("has_more") != true || list.Json.Text("last_id") is not { } last || responses.Count == 0 || responses[^1].Number("created_at") < oldest)
            {
                return;
            }

            after = $"&after={Uri.EscapeDataString(last)}";
        }
    }

    public void Dispose() => _client.Dispose();

    private async Task<bool> DeleteAsync(string id, CancellationToken cancellationToken)
    {
        try
        {
            return (await SendAsync(HttpMethod.Delete, $"v1/responses/{id}", null, cancellationToken)).Status is 200 or 404;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            return false;
        }
    }

    private HttpRequestMessage Request(HttpMethod method, string path, string? json, bool creates)
    {
        if (creates)
        {
            Interlocked.Increment(ref _unknown);
        }

        return new HttpRequestMessage(method, path) { Content = json is null ? null : new StringContent(json, Encoding.UTF8, "application/json") };
    }

    /// <summary>What became of a request to make a response is known: it was made, or refused. With a 5xx it may have been made all the same.</summary>
    private void Settle(Answer answer)
    {
        if (Remember(answer.Json) || (answer.IsError && answer.Status < 500))
        {
            Interlocked.Decrement(ref _unknown);
        }
    }

    /// <summary>True when the JSON is a response; its id, if it has one, will be deleted.</summary>
    private bool Remember(JsonElement response)
    {
        if (response.Text("id") is { } id && ResponseIdForm(id))
        {
            _made[id] = 0;
        }

        return response.Text("object") == "response";
    }

    /// <summary>What an id may be made of: it becomes a part of a path.</summary>
    private static bool ResponseIdForm(string id) => id.StartsWith("resp_", StringComparison.Ordinal) && id.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-');

    private static bool IsCreate(HttpMethod method, string path) => method == HttpMethod.Post && path.EndsWith("/responses", StringComparison.Ordinal);

    private static byte[]? TryTake(SseReader reader) => reader.TryRead(out var data) ? data.ToArray() : null;
}
