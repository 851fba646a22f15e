using System.Buffers;
using System.Net.Http.Headers;
using System.Runtime.CompilerServices;
using Gateway.Protocol.ChatCompletions;
using Gateway.Protocol.Translation;

namespace Gateway.Upstream;

/// <summary>
/// Asks a server's tokenizer how many tokens a prompt has. Whatever goes wrong here only means that it can not be counted this way: the call to
/// the model says what is wrong with the server.
/// </summary>
internal sealed class TokenizerClient(DestinationPicker picker, TimeProvider time, ILogger<TokenizerClient> logger)
{
    /// <summary>How long a server that has no such endpoint is not asked again. It may be updated.</summary>
    public static readonly TimeSpan AbsenceMemory = TimeSpan.FromMinutes(5);

    /// <summary>A tokenizer takes milliseconds.</summary>
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(10);

    /// <summary>Some list every token, TGI with its text.</summary>
    private const int MaxAnswerBytes = 64 * 1024 * 1024;

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    /// <summary>Upstreams without the endpoint, each with the timestamp of finding that out. A changed upstream is another one.</summary>
    private readonly ConditionalWeakTable<ConfiguredUpstream, StrongBox<long>> _absent = [];

    /// <summary>The count; null when the route's server has no tokenizer, or not for this prompt, or does not answer.</summary>
    /// <param name="route">Where the prompt would go.</param>
    /// <param name="chat">The Chat Completions request.</param>
    /// <param name="affinityKey">Prefers a destination, as for the request itself.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async ValueTask<TokenCount?> CountAsync(ChatRoute route, ReadOnlyMemory<byte> chat, string? affinityKey, CancellationToken cancellationToken)
    {
        var tokenizer = route.Profile.Tokenizer;
        if (!TokenizerApi.CanCount(tokenizer, chat))
        {
            return null;
        }

        // Work of milliseconds, that takes no place of a request which generates.
        var server = picker.Choose(new UpstreamCall { Routes = new ModelRoutes([route]), AffinityKey = affinityKey });
        return server.Candidate is not { } candidate || IsAbsent(candidate.Upstream) ? null : await CountAsync(tokenizer, chat, server, cancellationToken);
    }

    private async Task<TokenCount?> CountAsync(Tokenizer tokenizer, ReadOnlyMemory<byte> chat, Place server, CancellationToken cancellationToken)
    {
        using var timeout = new CancellationTokenSource(Timeout, time);
        using var linked = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, timeout.Token);
        try
        {
            // Not pooled: a connection may still read it after the answer.
            var request = new ArrayBufferWriter<byte>(chat.Length);
            TokenizerApi.Write(tokenizer, chat, request);
            var answer = await PostAsync(server, TokenizerApi.PathOf(tokenizer), request.WrittenMemory, linked.Token);
            if (tokenizer == Tokenizer.Llamacpp && answer is { } templated)
            {
                var text = new ArrayBufferWriter<byte>(templated.Length);
                answer = TokenizerApi.TryWriteText(templated, text)
                    ? await PostAsync(server, TokenizerApi.TextPath, text.WrittenMemory, linked.Token)
                    : null;
            }

            return answer is { } counted ? TokenizerApi.Read(counted.Span) : null;
        }
        catch (Exception e) when (e is HttpRequestException or IOException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }

    private bool IsAbsent(ConfiguredUpstream upstream) =>
        _absent.TryGetValue(upstream, out var since) && time.GetElapsedTime(since.Value) < AbsenceMemory;

    private async Task<ReadOnlyMemory<byte>?> PostAsync(Place server, string path, ReadOnlyMemory<byte> json, CancellationToken cancellationToken)
    {
        var (upstream, destination) = (server.Candidate!.Upstream, server.Stats!.Destination);
        using var request = new HttpRequestMessage(HttpMethod.Post, UpstreamRequests.RootOf(destination.Model.Config.Address.TrimEnd('/')) + path) { Content = new ReadOnlyMemoryContent(json) };
        request.Content.Headers.ContentType = Json;
        UpstreamRequests.Address(request, upstream, destination);
        using var response = await server.Candidate.Cluster.Model.HttpClient.SendAsync(request, cancellationToken);
        if (!response.IsSuccessStatusCode)
        {
            if ((int)response.StatusCode is 404 or 405 or 501)
            {
                _absent.AddOrUpdate(upstream, new StrongBox<long>(time.GetTimestamp()));
                UpstreamLog.NoTokenizer(logger, upstream.Name, (int)response.StatusCode, AbsenceMemory.TotalMinutes);
            }

            return null;
        }

        await response.Content.LoadIntoBufferAsync(MaxAnswerBytes, cancellationToken);
        return await response.Content.ReadAsByteArrayAsync(cancellationToken);
    }
}
