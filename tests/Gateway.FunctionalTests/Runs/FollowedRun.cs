using System.Globalization;
using System.Text;
using Gateway.FunctionalTests.Responses;

namespace Gateway.FunctionalTests.Runs;

/// <summary>A client that streams a response while it is made, and comes back to whatever replica there is when its connection breaks.</summary>
internal sealed class FollowedRun
{
    private const string End = "data: [DONE]";

    private readonly StringBuilder _body = new();
    private readonly Lock _lock = new();
    private TaskCompletionSource _came = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _next;

    private FollowedRun(HttpClient client, string id, CancellationToken cancellationToken)
    {
        Id = id;
        Ended = FollowAsync(client, cancellationToken);
    }

    public string Id { get; }

    /// <summary>The whole body, once it has come to its end.</summary>
    public Task<string> Ended { get; }

    private string Body
    {
        get
        {
            lock (_lock)
            {
                return _body.ToString();
            }
        }
    }

    public static FollowedRun Start(HttpClient client, string id, CancellationToken cancellationToken) => new(client, id, cancellationToken);

    /// <summary>Waits until this has been told.</summary>
    public async Task UntilAsync(string text, CancellationToken cancellationToken)
    {
        while (true)
        {
            var hasEnded = Ended.IsCompleted;
            Task more;
            lock (_lock)
            {
                more = _came.Task;
            }

            if (Body.Contains(text, StringComparison.Ordinal))
            {
                return;
            }

            Assert.False(hasEnded, $"The stream ended without '{text}':\n{Body}");
            await Task.WhenAny(more, Ended).WaitAsync(cancellationToken);
        }
    }

    public async Task<ResponseStream> EndAsync() => ResponseStream.Parse(await Ended, wasResumed: true);

    private async Task<string> FollowAsync(HttpClient client, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                if (await ReadAsync(client, cancellationToken))
                {
                    return Body;
                }
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                // The replica is gone: another one goes on where this one was cut off.
            }
        }
    }

    private async Task<bool> ReadAsync(HttpClient client, CancellationToken cancellationToken)
    {
        var after = _next == 0 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $"&starting_after={_next - 1}");
        using var response = await client.GetAsync($"/v1/responses/{Id}?stream=true{after}", HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        if ((int)response.StatusCode == 503)
        {
            return false;
        }

        response.EnsureSuccessStatusCode();
        using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(cancellationToken));
        var block = new StringBuilder();
        while (await reader.ReadLineAsync(cancellationToken) is { } line)
        {
            block.Append(line).Append('\n');
            if (line.Length > 0)
            {
                continue;
            }

            // Only whole events count: a cut one is asked for again.
            var text = block.ToString();
            block.Clear();
            _next += text.StartsWith("event: ", StringComparison.Ordinal) ? 1 : 0;
            lock (_lock)
            {
                _body.Append(text);
                _came.TrySetResult();
                _came = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            }

            if (text.StartsWith(End, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
