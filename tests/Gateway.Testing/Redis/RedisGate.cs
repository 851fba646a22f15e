using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Gateway.Testing.Redis;

/// <summary>
/// A way to a Redis server that can be shut at an exact point: what a client sends is forwarded until it holds a given text, and from there on
/// nothing is, on none of its connections, until the gate is opened again.
/// </summary>
public sealed class RedisGate : IAsyncDisposable
{
    private readonly IPEndPoint _server;
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _stop = new();
    private readonly ConcurrentBag<Task> _connections = [];
    private readonly Task _accepting;
    private TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private TaskCompletionSource _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile byte[]? _marker;
    private volatile byte[]? _unanswered;
    private volatile bool _isShut;

    public RedisGate(RedisProcess redis)
    {
        ArgumentNullException.ThrowIfNull(redis);
        _server = new IPEndPoint(IPAddress.Loopback, redis.Port);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary>What clients connect to.</summary>
    public string EndPoint => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Shuts the gate before this text is forwarded.</summary>
    public void ShutAt(string text)
    {
        _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _marker = Encoding.UTF8.GetBytes(text);
    }

    /// <summary>The next command that holds this text is done, and its connection cut off before the reply.</summary>
    public void LoseReplyTo(string text) => _unanswered = Encoding.UTF8.GetBytes(text);

    /// <summary>The reply of <see cref="LoseReplyTo"/> was lost.</summary>
    public bool LostReply => _unanswered is null;

    /// <summary>Waits until the gate is shut.</summary>
    public Task ShutAsync(CancellationToken cancellationToken) => _reached.Task.WaitAsync(cancellationToken);

    /// <summary>Forwards what was held back, and all that comes.</summary>
    public void Open()
    {
        _marker = null;
        _isShut = false;
        _opened.TrySetResult();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Stop();
        await _accepting;
        await Task.WhenAll(_connections);
        _stop.Dispose();
        _listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _connections.Add(ServeAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
            }
        }
        catch (OperationCanceledException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                client.NoDelay = true;
                server.NoDelay = true;
                await server.ConnectAsync(_server, _stop.Token);
                var connection = new Connection();
                await await Task.WhenAny(
                    ForwardAsync(connection, client.GetStream(), server.GetStream()), ReplyAsync(connection, server.GetStream(), client.GetStream()));
            }
            catch (Exception e) when (e is IOException or SocketException or OperationCanceledException or ObjectDisposedException)
            {
                // One of the two has left.
            }
        }
    }

    private async Task ReplyAsync(Connection connection, NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var count)
        {
            if (connection.LosesReplies)
            {
                return;
            }

            await to.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
        }
    }

    private async Task ForwardAsync(Connection connection, NetworkStream from, NetworkStream to)
    {
        var buffer = new byte[64 * 1024];
        var tail = Array.Empty<byte>();
        while (await from.ReadAsync(buffer, _stop.Token) is > 0 and var count)
        {
            var piece = buffer.AsMemory(0, count);
            if (_marker is { } marker)
            {
                // The text may be cut by the border of two reads: then its first part is through, and the command is held back all the same.
                byte[] seen = [.. tail, .. piece.Span];
                tail = seen[^Math.Min(seen.Length, marker.Length - 1)..];
                if (seen.AsSpan().IndexOf(marker) >= 0)
                {
                    _isShut = true;
                    _reached.TrySetResult();
                }
            }

            if (_isShut)
            {
                await _opened.Task.WaitAsync(_stop.Token);
            }

            if (_unanswered is { } text && piece.Span.IndexOf(text) >= 0)
            {
                _unanswered = null;
                connection.LosesReplies = true;
            }

            await to.WriteAsync(piece, _stop.Token);
        }
    }

    private sealed class Connection
    {
        private volatile bool _losesReplies;

        public bool LosesReplies
        {
            get => _losesReplies;
            set => _losesReplies = value;
        }
    }
}
