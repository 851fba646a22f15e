using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Tests.Upstream;

/// <summary>A server of bare sockets: the test says what happens to the n-th request of the k-th connection, both from 0.</summary>
internal sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly Task _loop;
    private int _connections;
    private int _requests;

    /// <param name="answer">The bytes to send, or null to close the connection without an answer.</param>
    public RawServer(Func<int, int, string?> answer)
    {
        _listener.Start();
        _loop = AcceptAsync(answer);
    }

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/v1";

    public int Connections => Volatile.Read(ref _connections);

    public int Requests => Volatile.Read(ref _requests);

    /// <summary>An answer that resets the connection instead of closing it.</summary>
    public const string Reset = "";

    public static string Json(string body) =>
        $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}";

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _loop;
        _stop.Dispose();
    }

    private async Task AcceptAsync(Func<int, int, string?> answer)
    {
        var serving = new List<Task>();
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                serving.Add(ServeAsync(client, Interlocked.Increment(ref _connections) - 1, answer));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException)
        {
            await Task.WhenAll(serving);
        }
    }

    private async Task ServeAsync(TcpClient client, int connection, Func<int, int, string?> answer)
    {
        using (client)
        {
            try
            {
                var stream = client.GetStream();
                for (var request = 0; await ReadRequestAsync(stream); request++)
                {
                    Interlocked.Increment(ref _requests);
                    if (answer(connection, request) is not { } response)
                    {
                        return;
                    }

                    if (response == Reset)
                    {
                        client.LingerState = new LingerOption(true, 0);
                        return;
                    }

                    await stream.WriteAsync(Encoding.ASCII.GetBytes(response), _stop.Token);
                }
            }
            catch (Exception e) when (e is OperationCanceledException or IOException)
            {
                // The client left or the test is over.
            }
        }
    }

    private async Task<bool> ReadRequestAsync(NetworkStream stream)
    {
        var seen = new StringBuilder();
        var buffer = new byte[4096];
        while (true)
        {
            var read = await stream.ReadAsync(buffer, _stop.Token);
            if (read == 0)
            {
                return false;
            }

            seen.Append(Encoding.ASCII.GetString(buffer, 0, read));
            var text = seen.ToString();
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            if (end >= 0)
            {
                var length = text.Split("\r\n").FirstOrDefault(l => l.StartsWith("Content-Length:", StringComparison.OrdinalIgnoreCase));
                var expected = length is null ? 0 : int.Parse(length.Split(':')[1], System.Globalization.CultureInfo.InvariantCulture);
                if (text.Length >= end + 4 + expected)
                {
                    return true;
                }
            }
        }
    }
}
