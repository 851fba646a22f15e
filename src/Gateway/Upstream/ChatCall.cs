using System.Diagnostics.CodeAnalysis;

namespace Gateway.Upstream;

/// <summary>One Chat Completions request, which may take several attempts at different destinations, each in the form its upstream wants.</summary>
internal sealed class ChatCall : UpstreamCall, IDisposable
{
    private ChatBody? _body;

    /// <summary>Writes the request for a route.</summary>
    public required Func<ChatRoute, ChatBody> Write { get; init; }

    /// <summary>Where the last attempt went; the preferred route before the first one.</summary>
    [field: MaybeNull]
    public ChatRoute Route
    {
        get => field ?? Routes.First;
        private set;
    }

    /// <summary>The length of the request as it was sent last.</summary>
    public int BodyBytes => _body?.Json.Length ?? 0;

    /// <summary>A call with one body for one route.</summary>
    public static ChatCall To(ChatRoute route, ReadOnlyMemory<byte> json, bool stream) =>
        new() { Routes = new ModelRoutes([route]), Write = _ => new ChatBody(json, stream) };

    /// <summary>The request for the route that the next attempt takes; written anew when the last one went another way.</summary>
    public ChatBody BodyFor(ChatRoute route)
    {
        if (_body is null || !ReferenceEquals(Route, route))
        {
            _body?.Dispose();
            _body = Write(route);
            Route = route;
        }

        return _body;
    }

    public void Dispose() => _body?.Dispose();
}
