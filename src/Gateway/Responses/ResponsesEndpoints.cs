using Gateway.Policy;
using Gateway.Protocol.Responses;
using Gateway.Protocol.Responses.Fireworks;
using Gateway.Store;
using Microsoft.AspNetCore.Http.Features;

namespace Gateway.Responses;

/// <summary>The routes of the Responses API in both dialects, and a typed answer for everything else below their base paths.</summary>
internal static class ResponsesEndpoints
{
    private const string OpenAiBase = "/v1";
    private const string FireworksBase = "/inference/v1";

    /// <summary>The dialect that a path is served in.</summary>
    public static Dialect DialectOf(PathString path) => path.StartsWithSegments(FireworksBase) ? FireworksDialect.Instance : Dialect.OpenAi;

    /// <summary>The dialect of that name.</summary>
    /// <exception cref="NewerFormatException">There is none, so far: a stored run names it.</exception>
    public static Dialect DialectNamed(string name) =>
        name == Dialect.OpenAi.Name ? Dialect.OpenAi
        : name == FireworksDialect.Instance.Name ? FireworksDialect.Instance
        : throw new NewerFormatException("A stored run");

    /// <summary>The header that names the client's account on this path, or null.</summary>
    public static string? AccountHeaderOf(PathString path) => path.StartsWithSegments(FireworksBase) ? FireworksDialect.AccountHeader : null;

    public static void MapGatewayResponses(this IEndpointRouteBuilder app)
    {
        Map(app, OpenAiBase, Dialect.OpenAi);
        Map(app, FireworksBase, FireworksDialect.Instance);
    }

    private static void Map(IEndpointRouteBuilder app, string basePath, Dialect dialect)
    {
        var create = app.ServiceProvider.GetRequiredService<CreateResponse>();
        var count = app.ServiceProvider.GetRequiredService<CountInputTokens>();
        var read = app.ServiceProvider.GetRequiredService<ReadResponses>();
        var responses = basePath + "/responses";
        On(app, HttpMethods.Post, responses, (http, tenant) => create.RunAsync(http, dialect, tenant));
        On(app, HttpMethods.Get, responses, (http, tenant) => IsWebSocket(http.Request)
            ? Task.FromResult<ApiError?>(new ApiError(426, ApiError.InvalidRequestType, "websocket_not_supported", null, "This gateway does not serve WebSockets. Use HTTP with server-sent events."))
            : read.ListAsync(http, dialect, tenant));
        On(app, HttpMethods.Get, responses + "/{id}", (http, tenant) => read.GetAsync(http, dialect, tenant, Id(http)));
        On(app, HttpMethods.Delete, responses + "/{id}", (http, tenant) => read.DeleteAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Get, responses + "/{id}/input_items", (http, tenant) => read.ListInputItemsAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Post, responses + "/{id}/cancel", (http, tenant) => read.CancelAsync(http, dialect, tenant, Id(http)));
        On(app, HttpMethods.Post, responses + "/input_tokens", (http, tenant) => count.RunAsync(http, dialect, tenant));
        NotYetServed(app, responses + "/compact");
        if (dialect.ServesConversations)
        {
            MapConversations(app, basePath + "/conversations");
        }

        // Below the routes above: the same paths with another method, and everything else.
        WrongMethod(app, responses, "GET, POST");

        // Beside the routes above: it is no id.
        WrongMethod(app, responses + "/input_tokens", "POST", order: 0);
        WrongMethod(app, responses + "/{id}", "GET, DELETE");
        WrongMethod(app, responses + "/{id}/input_items", "GET");
        WrongMethod(app, responses + "/{id}/cancel", "POST");
        app.Map(basePath + "/{**rest}", (HttpContext http) => Fail(http, NotServed(http))).WithOrder(2);
    }

    private static void MapConversations(IEndpointRouteBuilder app, string conversations)
    {
        var serve = app.ServiceProvider.GetRequiredService<ServeConversations>();
        var items = app.ServiceProvider.GetRequiredService<ServeConversationItems>();
        On(app, HttpMethods.Post, conversations, serve.CreateAsync);
        On(app, HttpMethods.Get, conversations + "/{id}", (http, tenant) => serve.GetAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Post, conversations + "/{id}", (http, tenant) => serve.UpdateAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Delete, conversations + "/{id}", (http, tenant) => serve.DeleteAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Get, conversations + "/{id}/items", (http, tenant) => items.ListAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Post, conversations + "/{id}/items", (http, tenant) => items.AddAsync(http, tenant, Id(http)));
        On(app, HttpMethods.Get, conversations + "/{id}/items/{item}", (http, tenant) => items.GetAsync(http, tenant, Id(http), ItemId(http)));
        On(app, HttpMethods.Delete, conversations + "/{id}/items/{item}", (http, tenant) => items.DeleteAsync(http, tenant, Id(http), ItemId(http)));
        WrongMethod(app, conversations, "POST");
        WrongMethod(app, conversations + "/{id}", "GET, POST, DELETE");
        WrongMethod(app, conversations + "/{id}/items", "GET, POST");
        WrongMethod(app, conversations + "/{id}/items/{item}", "GET, DELETE");
    }

    /// <summary>What the API has and this gateway does not serve yet: the one place where each is refused.</summary>
    private static void NotYetServed(IEndpointRouteBuilder app, params string[] patterns)
    {
        foreach (var pattern in patterns)
        {
            app.Map(pattern, (HttpContext http) => Fail(http, NotServed(http)));
        }
    }

    private static void WrongMethod(IEndpointRouteBuilder app, string pattern, string allowed, int order = 1) => app.Map(pattern, (HttpContext http) =>
    {
        http.Response.Headers.Allow = allowed;
        Fail(http, new ApiError(405, ApiError.InvalidRequestType, "method_not_allowed", null, $"Not allowed to {http.Request.Method} on this path. Allowed: {allowed}."));
    }).WithOrder(order);

    private static void On(IEndpointRouteBuilder app, string method, string pattern, Func<HttpContext, Tenant, Task<ApiError?>> handler) =>
        app.MapMethods(pattern, [method], (RequestDelegate)(async http =>
        {
            if (await handler(http, http.Features.GetRequiredFeature<Tenant>()) is { } error)
            {
                Fail(http, error);
            }
        }));

    /// <summary>404 <c>unknown_url</c>: no route has the request's path, or the gateway does not serve it yet.</summary>
    internal static ApiError NotServed(HttpContext http) => new(
        404, ApiError.InvalidRequestType, "unknown_url", null, $"Unknown request URL: {http.Request.Method} {Shorten(http.Request.Path)}. This gateway does not serve it.");

    private static void Fail(HttpContext http, ApiError error) => http.Features.Set(error);

    private static string Id(HttpContext http) => (string)http.Request.RouteValues["id"]!;

    private static string ItemId(HttpContext http) => (string)http.Request.RouteValues["item"]!;

    private static bool IsWebSocket(HttpRequest request) => request.Headers.Upgrade.ToString().Contains("websocket", StringComparison.OrdinalIgnoreCase);

    private static string Shorten(PathString path) => path.Value is { Length: > 128 } text ? text[..128] : path.Value ?? string.Empty;
}
