using System.Diagnostics;
using System.Net;
using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Text;
using System.Text.Json.Serialization.Metadata;

namespace Gateway.Load.Run;

/// <summary>
/// Sends calls over kept-alive HTTP/1.1 connections and times them. One per target. Any wrong answer ends the run: figures with errors in
/// them mean nothing.
/// </summary>
internal sealed class LoadClient : IDisposable
{
    private const int ShownBytes = 500;

    /// <summary>What stands behind the last event.</summary>
    private const string EndOfStream = "[DONE]";

    private readonly HttpMessageInvoker _http = new(new SocketsHttpHandler
    {
        ActivityHeadersPropagator = null,
        AllowAutoRedirect = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        UseCookies = false,
        UseProxy = false,
    });

    /// <summary>Sends the same call as often as the scenario says.</summary>
    public async Task<BurstSamples> BurstAsync(Call call, Scenario scenario, CancellationToken cancellationToken)
    {
        var requests = scenario.Requests;
        var samples = new BurstSamples(requests, call);
        var next = -1;
        var workers = new Task[Math.Min(scenario.Concurrency, requests)];
        for (var i = 0; i < workers.Length; i++)
        {
            var delay = scenario.Spread * i / workers.Length;
            workers[i] = Task.Run(() => WorkAsync(delay), cancellationToken);
        }

        await Task.WhenAll(workers);
        samples.Complete();
        return samples;

        async Task WorkAsync(TimeSpan delay)
        {
            await Task.Delay(delay, cancellationToken);
            var reader = new AnswerReader();
            for (int i; (i = Interlocked.Increment(ref next)) < requests;)
            {
                await SendAsync(call, reader, samples, i, cancellationToken);
            }
        }
    }

    /// <summary>Sends one call and leaves the whole answer in <paramref name="reader"/>.</summary>
    /// <returns>How long it took.</returns>
    public async Task<TimeSpan> SendAsync(Call call, AnswerReader reader, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var message = call.ToMessage();
        using var response = await _http.SendAsync(message, cancellationToken);
        await ReadWholeAsync(response, call, reader, cancellationToken);
        return Stopwatch.GetElapsedTime(started);
    }

    /// <summary>The data of each event of an answer, as it comes. The message is disposed.</summary>
    public async IAsyncEnumerable<string> EventsAsync(HttpRequestMessage message, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var owned = message;
        using var response = await _http.SendAsync(message, cancellationToken);
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var reader = new AnswerReader();
            await reader.ReadAllAsync(body, cancellationToken);
            throw WrongAnswer(message.RequestUri!, response, reader);
        }

        await foreach (var item in SseParser.Create(body).EnumerateAsync(cancellationToken))
        {
            if (item.Data != EndOfStream)
            {
                yield return item.Data;
            }
        }
    }

    public async Task<HttpStatusCode?> GetStatusAsync(Uri uri, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, uri);
        try
        {
            using var response = await _http.SendAsync(message, cancellationToken);
            return response.StatusCode;
        }
        catch (HttpRequestException)
        {
            // Not listening yet.
            return null;
        }
    }

    /// <summary>Reads a document of the bench's own.</summary>
    public async Task<T> GetAsync<T>(Uri uri, JsonTypeInfo<T> type, CancellationToken cancellationToken)
    {
        using var message = new HttpRequestMessage(HttpMethod.Get, uri);
        using var response = await _http.SendAsync(message, cancellationToken);
        return await response.EnsureSuccessStatusCode().Content.ReadFromJsonAsync(type, cancellationToken)
            ?? throw new LoadException($"{uri} answered null.");
    }

    public void Dispose() => _http.Dispose();

    private async Task SendAsync(Call call, AnswerReader reader, BurstSamples samples, int index, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var message = call.ToMessage();
        using var response = await _http.SendAsync(message, cancellationToken);
        if (call.Deltas == 0)
        {
            await ReadWholeAsync(response, call, reader, cancellationToken);
        }
        else
        {
            var seen = await ReadStreamAsync(response, call, reader, samples.DelaysOf(index), cancellationToken);
            samples.FirstDeltas[index] = seen.FirstDelta - started;
        }

        samples.Latencies[index] = Stopwatch.GetTimestamp() - started;
    }

    private static async Task ReadWholeAsync(HttpResponseMessage response, Call call, AnswerReader reader, CancellationToken cancellationToken)
    {
        await reader.ReadAllAsync(await response.Content.ReadAsStreamAsync(cancellationToken), cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK || reader.Content.IndexOf(call.EndMark) < 0)
        {
            throw WrongAnswer(call.Uri, response, reader);
        }
    }

    private static async Task<StreamSeen> ReadStreamAsync(
        HttpResponseMessage response, Call call, AnswerReader reader, Memory<long> delays, CancellationToken cancellationToken)
    {
        var body = await response.Content.ReadAsStreamAsync(cancellationToken);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            await reader.ReadAllAsync(body, cancellationToken);
            throw WrongAnswer(call.Uri, response, reader);
        }

        var seen = await reader.ReadEventsAsync(body, call, delays, cancellationToken);
        return seen.Ended && seen.Deltas == call.Deltas
            ? seen
            : throw new LoadException(
                $"{call.Uri} streamed {seen.Deltas} deltas of {call.Deltas}, {(seen.Ended ? "with" : "without")} the end: not measured.");
    }

    private static LoadException WrongAnswer(Uri uri, HttpResponseMessage response, AnswerReader reader) =>
        new($"{uri} answered {(int)response.StatusCode}, which is not measured: "
            + Encoding.UTF8.GetString(reader.Content[..Math.Min(ShownBytes, reader.Content.Length)]));
}
