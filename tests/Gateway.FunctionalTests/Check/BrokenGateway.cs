using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.FunctionalTests.Check;

/// <summary>Breaks an exchange: before, after, or instead of having it forwarded.</summary>
internal delegate Task Breakage(Exchange exchange, Func<Task> forward);

/// <summary>A proxy in front of a gateway that breaks what passes it. Streams pass as a whole.</summary>
internal sealed partial class BrokenGateway : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly HttpClient _client;
    private readonly Breakage _break;
    private readonly ConcurrentDictionary<string, string> _cases = new();

    private BrokenGateway(WebApplication app, Uri gateway, Breakage @break)
    {
        _app = app;
        _client = new HttpClient { BaseAddress = gateway };
        _break = @break;
    }

    public Uri Address => new(_app.Urls.Single());

    public static async Task<BrokenGateway> StartAsync(Uri gateway, Breakage @break)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        var app = builder.Build();
        var broken = new BrokenGateway(app, gateway, @break);
        app.Run(broken.HandleAsync);
        await app.StartAsync();
        return broken;
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _client.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var reader = new StreamReader(context.Request.Body);
        var body = await reader.ReadToEndAsync(context.RequestAborted);
        var mark = MarkOf(body);
        var exchange = new Exchange
        {
            Method = context.Request.Method,
            Path = context.Request.Path,
            Query = context.Request.QueryString.Value ?? "",
            RequestBody = body,
            Mark = mark,
            Case = mark is not null ? CaseOf(mark) : Id().Match(context.Request.Path) is { Success: true } id ? _cases.GetValueOrDefault(id.Value) : null,
        };
        await _break(exchange, () => ForwardAsync(exchange, context.Request.Headers.Authorization, context.RequestAborted));
        if (exchange.Case is { } made && Id().Match(exchange.Body) is { Success: true } response)
        {
            _cases.TryAdd(response.Value, made);
        }

        context.Response.StatusCode = exchange.Status;
        context.Response.ContentType = exchange.ContentType;
        await context.Response.WriteAsync(exchange.Body, context.RequestAborted);
    }

    private async Task ForwardAsync(Exchange exchange, string? authorization, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(new HttpMethod(exchange.Method), exchange.Path + exchange.Query);
        if (exchange.RequestBody.Length > 0)
        {
            request.Content = new StringContent(exchange.RequestBody, Encoding.UTF8, "application/json");
        }

        if (authorization is not null)
        {
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        }

        using var response = await _client.SendAsync(request, cancellationToken);
        exchange.Status = (int)response.StatusCode;
        exchange.ContentType = response.Content.Headers.ContentType?.ToString() ?? "";
        exchange.Body = await response.Content.ReadAsStringAsync(cancellationToken);
    }

    private static string? MarkOf(string body)
    {
        try
        {
            return JsonNode.Parse(body)?["metadata"]?["case"]?.GetValue<string>();
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // No body, or one that is meant to be wrong.
            return null;
        }
    }

    private static string CaseOf(string mark) => mark.StartsWith("at-once-", StringComparison.Ordinal) ? "concurrency" : mark;

    [GeneratedRegex("resp_[A-Za-z0-9]+")]
    private static partial Regex Id();
}
