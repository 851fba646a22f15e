using System.Collections.Concurrent;
using System.Net;
using System.Runtime.CompilerServices;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Gateway.Testing.Scripting;

/// <summary>
/// A model server on loopback that answers the questions of a probe as a folder of <c>Recordings/probes</c> says (its README tells the form), and
/// all other chat requests with <see cref="Chat"/>.
/// </summary>
public sealed class RecordedServer : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly JsonArray _answers;
    private readonly ConcurrentQueue<RecordedQuestion> _questions = new();
    private readonly ConcurrentQueue<JsonObject> _chats = new();

    private RecordedServer(WebApplication app, string name)
    {
        _app = app;
        _answers = JsonNode.Parse(File.ReadAllText(FileOf(name, "answers.json")))!.AsArray();
        Expected = JsonNode.Parse(File.ReadAllText(FileOf(name, "expected.json")))!.AsObject();
    }

    /// <summary>The recordings there are.</summary>
    public static IEnumerable<string> Names => Directory.GetDirectories(FileOf("", "")).Select(folder => Path.GetFileName(folder)!).Order(StringComparer.Ordinal);

    /// <summary>The base address that a gateway is configured with, ending in <c>/v1</c>.</summary>
    public string Address => _app.Urls.Single() + "/v1";

    /// <summary>What a probe must find out.</summary>
    public JsonObject Expected { get; }

    /// <summary>Questions so far, oldest first.</summary>
    public IReadOnlyList<RecordedQuestion> Questions => [.. _questions];

    /// <summary>Questions that cost tokens.</summary>
    public IEnumerable<RecordedQuestion> ChatQuestions => Questions.Where(q => q.Body?["messages"] is not null);

    /// <summary>Chat requests that are no questions of a probe, oldest first.</summary>
    public IReadOnlyList<JsonObject> Chats => [.. _chats];

    /// <summary>How those are answered.</summary>
    public ChatReaction Chat { get; set; } = ScriptedUpstream.Greeting;

    /// <summary>Asked before the recording; what it gives is the answer, null leaves the question to the recording.</summary>
    public Func<RecordedQuestion, ChatScript?> Instead { get; set; } = _ => null;

    /// <summary>Awaited before a question of a probe is answered.</summary>
    public Task Gate { get; set; } = Task.CompletedTask;

    public static async Task<RecordedServer> StartAsync(string name)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.AddServerHeader = false;
        });
        var app = builder.Build();
        var server = new RecordedServer(app, name);
        app.Run(server.HandleAsync);
        await app.StartAsync();
        return server;
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private static string FileOf(string name, string file, [CallerFilePath] string here = "") =>
        Path.Combine(Path.GetDirectoryName(here)!, "..", "..", "Recordings", "probes", name, file);

    private async Task HandleAsync(HttpContext context)
    {
        using var bytes = new MemoryStream();
        await context.Request.Body.CopyToAsync(bytes, context.RequestAborted);
        var body = bytes.Length == 0 ? null : JsonNode.Parse(bytes.ToArray())!.AsObject();
        if (body?["messages"] is not null && (body["max_tokens"] ?? body["max_completion_tokens"])?.GetValue<int>() != 1)
        {
            _chats.Enqueue(body);
            await SendAsync(context, Chat(body));
            return;
        }

        var question = new RecordedQuestion(context.Request.Method, context.Request.Path, body);
        _questions.Enqueue(question);
        await Gate.WaitAsync(context.RequestAborted);
        await SendAsync(context, Instead(question) ?? Recorded(question));
    }

    private ChatScript Recorded(RecordedQuestion question)
    {
        var answer = _answers.Select(a => a!.AsObject()).FirstOrDefault(a =>
            Text(a["method"]) == question.Method && Text(a["path"]) == question.Path && (a["when"] is not JsonObject when || Matches(when, question.Body!)));
        if (answer is null)
        {
            return ChatScript.Of(404, """{"detail":"Not Found"}""");
        }

        var body = answer["body"] is JsonValue text ? Text(text)! : answer["body"]!.ToJsonString();
        var script = ChatScript.Of((int)answer["status"]!, body, body.StartsWith("data:", StringComparison.Ordinal) ? ChatScript.EventStream : ChatScript.Json);
        foreach (var (name, value) in answer["headers"] as JsonObject ?? [])
        {
            script = script.WithHeader(name, Text(value)!);
        }

        return script;
    }

    private static bool Matches(JsonObject when, JsonObject body)
    {
        bool IsThere(JsonNode? name) => body.ContainsKey(Text(name)!);
        var messages = body["messages"]?.AsArray() ?? [];
        return (when["roles"] is not JsonArray roles || roles.Select(Text).SequenceEqual(messages.Select(m => Text(m!["role"]))))
            && (when["has"] is not JsonArray has || has.All(IsThere))
            && (when["without"] is not JsonArray without || !without.Any(IsThere))
            && (when["equals"] is not JsonObject equals || equals.All(e => JsonNode.DeepEquals(e.Value, body[e.Key])))
            && (when["format"] is not { } format || Text(format) == Text(body["response_format"]?["type"]))
            && (!when.ContainsKey("content") || JsonNode.DeepEquals(when["content"], messages[1]!["content"]));
    }

    private static string? Text(JsonNode? node) => node?.GetValue<string>();

    private static async Task SendAsync(HttpContext context, ChatScript script)
    {
        context.Response.StatusCode = script.Status;
        context.Response.ContentType = script.ContentType;
        foreach (var (name, value) in script.Headers)
        {
            context.Response.Headers[name] = value;
        }

        await context.Response.BodyWriter.WriteAsync(script.Body, context.RequestAborted);
    }
}
