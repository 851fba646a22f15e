using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace PythonTool;

/// <summary>The MCP tool <c>python</c>: what is listed, how a call is read, and how its result is told.</summary>
internal sealed class PythonMcpTool(SandboxPool pool, IOptions<PythonToolOptions> options)
{
    public const string Name = "python";

    /// <summary>The member of a call's <c>_meta</c> that names its session: an opaque text, chosen by a client that keeps it to itself.</summary>
    public const string SessionMeta = "responses-gateway/session";

    private const int MaxSessionLength = 256;

    private readonly ListToolsResult _list = new() { Tools = [Describe(options.Value)] };

    public ListToolsResult List() => _list;

    public async Task<CallToolResult> CallAsync(CallToolRequestParams? call, CancellationToken cancellationToken)
    {
        if (call?.Name != Name)
        {
            throw new McpProtocolException($"There is no tool of this name; there is '{Name}'.", McpErrorCode.InvalidParams);
        }

        string? session = null;
        var refusal = ReadCode(call, out var code) ?? ReadSession(call, out session);
        var result = refusal is null ? await pool.RunAsync(session, code, cancellationToken) : CallResult.Refused(refusal);
        return new CallToolResult
        {
            IsError = result.Status != CallStatus.Ok,
            Content = [new TextContentBlock { Text = Tell(result) }],
            StructuredContent = Structure(result),
        };
    }

    private string? ReadCode(CallToolRequestParams call, out string code)
    {
        code = "";
        if (call.Arguments is null || !call.Arguments.TryGetValue("code", out var value) || value.ValueKind != JsonValueKind.String)
        {
            return "the argument 'code' must be a string";
        }

        code = value.GetString()!;
        return Encoding.UTF8.GetByteCount(code) > options.Value.CodeBytes ? $"the argument 'code' is longer than {options.Value.CodeBytes} bytes" : null;
    }

    private static string? ReadSession(CallToolRequestParams call, out string? session)
    {
        session = null;
        if (call.Meta is null || !call.Meta.TryGetPropertyValue(SessionMeta, out var value))
        {
            return null;
        }

        return value is JsonValue text && text.TryGetValue(out session) && session.Length is > 0 and <= MaxSessionLength
            ? null : $"_meta['{SessionMeta}'] must be a string of 1 to {MaxSessionLength} characters";
    }

    /// <summary>The result as a model reads it.</summary>
    private static string Tell(CallResult result)
    {
        List<string> parts = [];
        if (result.Stdout.Length > 0)
        {
            parts.Add(result.Stdout.TrimEnd('\n'));
        }

        if (result.Stderr.Length > 0)
        {
            parts.Add((parts.Count > 0 || result.Status == CallStatus.Ok ? "[stderr]\n" : "") + result.Stderr.TrimEnd('\n'));
        }

        if (result.Result is not null)
        {
            parts.Add((parts.Count > 0 ? "[result]\n" : "") + result.Result);
        }

        if (result.Reason is not null)
        {
            parts.Add(result.Status == CallStatus.Refused
                ? $"[{StatusName(result.Status)}] The code was not run: {result.Reason}."
                : $"[{StatusName(result.Status)}] The code was ended: {result.Reason}. Variables and files of earlier calls are lost; the next call starts afresh.");
        }

        return parts.Count == 0 ? "(no output)" : string.Join("\n\n", parts);
    }

    private static JsonElement Structure(CallResult result)
    {
        var told = new JsonObject
        {
            ["status"] = StatusName(result.Status),
            ["stdout"] = result.Stdout,
            ["stderr"] = result.Stderr,
            ["result"] = result.Result,
        };
        if (result.Reason is not null)
        {
            told["reason"] = result.Reason;
        }

        return JsonSerializer.SerializeToElement(told, McpJsonUtilities.DefaultOptions);
    }

    private static string StatusName(CallStatus status) => status switch
    {
        CallStatus.Ok => "ok",
        CallStatus.Error => "error",
        CallStatus.Timeout => "timeout",
        CallStatus.Killed => "killed",
        _ => "refused",
    };

    private static Tool Describe(PythonToolOptions options) => new()
    {
        Name = Name,
        Title = "Python",
        Description =
            "Runs Python code and returns what it prints, and the value of its last line when that is an expression. Calls of one conversation may " +
            "share variables and files in the working folder; do not rely on either to be still there. There is no network. What a call starts " +
            $"ends with it. Limits: {options.CallTime.TotalSeconds:0} s a call, {options.MemoryBytes / (1024 * 1024)} MiB of memory, " +
            $"{options.DiskBytes / (1024 * 1024)} MiB of files, {options.OutputBytes / 1024} KiB of output.",
        InputSchema = Schema("""
            {"type":"object","properties":{"code":{"type":"string","description":"The Python code to run."}},"required":["code"],"additionalProperties":false}
            """),
        OutputSchema = Schema("""
            {"type":"object","properties":{
              "status":{"type":"string","enum":["ok","error","timeout","killed","refused"]},
              "stdout":{"type":"string"},
              "stderr":{"type":"string","description":"With the traceback when the code raised."},
              "result":{"type":["string","null"],"description":"The repr of the last expression."},
              "reason":{"type":"string","description":"Why the code was ended, or not run."}},
             "required":["status","stdout","stderr","result"]}
            """),
        // It changes the state of its own session and nothing else, and reaches nothing outside.
        Annotations = new ToolAnnotations { ReadOnlyHint = false, DestructiveHint = false, IdempotentHint = false, OpenWorldHint = false },
    };

    private static JsonElement Schema(string json) => JsonDocument.Parse(json).RootElement;
}
