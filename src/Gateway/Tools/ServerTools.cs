using System.Text;
using Gateway.Egress;
using Gateway.Protocol.Responses;
using Gateway.Telemetry;
using Gateway.Tools.Hosted;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.Options;

namespace Gateway.Tools;

/// <summary>What all responses share of server-run tools: the servers' connections, the operator's servers and bindings, limits.</summary>
internal sealed class ServerTools(
    IMcpClientPool pool,
    NamedServers named,
    HostedTools hosted,
    RoundReader rounds,
    IOptions<ToolsOptions> options,
    IOptions<EgressOptions> egress,
    ToolMetrics metrics,
    TimeProvider time,
    ILogger<ServerTools> logger)
{
    /// <summary>A hosted tool's outcome has a form of its own for each type.</summary>
    public HostedTools Hosted => hosted;

    public int ParallelCalls => options.Value.ParallelCalls;

    /// <summary>A server that can not list its tools ends the response; otherwise the response goes on without that server.</summary>
    public bool FailsOnListFailure => options.Value.OnListFailure == ListFailure.Fail;

    public ToolBudget NewBudget(int maxToolCalls) => new(maxToolCalls, options.Value.MaxRounds, options.Value.RepeatedCalls);

    /// <summary>How each declared server is reached, or the error for one that may not be.</summary>
    public async Task<(IReadOnlyList<DeclaredServer> Servers, ApiError? Error)> ResolveAsync(LoopRequest loop, CancellationToken cancellationToken)
    {
        if (loop.Request.Servers.Count == 0)
        {
            return ([], null);
        }

        var servers = new List<DeclaredServer>();
        foreach (var declared in loop.Request.Servers)
        {
            if (declared.Url is not { } url)
            {
                var known = named.Find(declared.Label)!;
                servers.Add(new DeclaredServer(declared, known.Server, known.AllowedTools));
                continue;
            }

            if (await loop.Egress.CheckAsync(url, cancellationToken) is { } refusal)
            {
                return ([], Refused(declared, refusal.Message));
            }

            servers.Add(new DeclaredServer(declared, new McpServer
            {
                Tenant = loop.Tenant,
                Label = declared.Label,
                Url = url,
                Transport = declared.PrefersSse ? McpTransport.Sse : McpTransport.Http,
                Headers = declared.Headers,
                Egress = loop.Egress,
            }));
        }

        return (servers, null);
    }

    /// <summary>Asks a server for its tools. Only cancellation is thrown.</summary>
    public Task<McpListing> ListAsync(DeclaredServer server, CancellationToken cancellationToken) => pool.ListToolsAsync(server.Server, cancellationToken);

    /// <summary>Runs one call to its outcome. Only cancellation is thrown.</summary>
    public async Task<ServerCallResult> CallAsync(ServerCall call, DeclaredServer server, LoopRequest loop, CancellationToken cancellationToken)
    {
        var name = call.Binding?.Type ?? (server.Server.Egress.IsOperator ? server.Label : "mcp");
        using var activity = GatewayActivitySource.StartTool(name);
        var started = time.GetTimestamp();
        var outcome = "cancelled";
        try
        {
            if (!ToolArguments.IsObject(call.Arguments))
            {
                outcome = "failed";
                return Failed(call, "The arguments are not a JSON object.");
            }

            var arguments = call.Binding?.ToServerArguments(call.Tool, call.Arguments) ?? Encoding.UTF8.GetBytes(call.Arguments);
            var answer = await pool.CallToolAsync(
                server.Server, call.Binding?.Tool ?? call.Tool.Name, arguments, server.Server.Egress.IsOperator ? loop.Session : null, cancellationToken);
            var result = ResultOf(call, loop, answer);
            outcome = OutcomeOf(answer, result);
            if (outcome != "completed")
            {
                GatewayActivitySource.Fail(activity, outcome);
            }

            return result;
        }
        catch (Exception e) when (e is not OperationCanceledException || !cancellationToken.IsCancellationRequested)
        {
            // Every exception: a bug in one call must not take away the response, which tells what other calls have done.
            outcome = "failed";
            GatewayActivitySource.Fail(activity, outcome);
            ToolLog.Bug(logger, e.GetType().Name, e.StackTrace);
            return Failed(call, "The gateway could not make this call.");
        }
        finally
        {
            metrics.CallEnded(name, outcome, time.GetElapsedTime(started));
        }
    }

    /// <summary>The outcome of a call that was not made, or came to nothing, in the form of its item.</summary>
    public static ServerCallResult Failed(ServerCall call, string error) =>
        call.Binding is { Kind: not ServerCallKind.Mcp } binding ? binding.Failed(error) : ServerCallItems.Failed(error);

    /// <summary>Waits for a task that writes no events, and keeps the client's connection alive meanwhile.</summary>
    public Task<T> WaitAsync<T>(Task<T> task, ILoopOutput output, CancellationToken cancellationToken) =>
        rounds.KeepAliveWhileAsync(task, output, cancellationToken);

    /// <summary>The error of a server that did not list its tools, as the API's catalogue has it.</summary>
    public static ApiError ListError(string label, McpFailure failure) => new(
        424, "external_connector_error", "http_error", "tools",
        $"Error retrieving tool list from MCP server: '{label}'. {failure.Message}");

    /// <summary>
    /// The error of a server that did not list its tools, while nothing is told of the response; null when it goes on without that server. A URL that
    /// the egress guard refused only now, at connecting or at a redirect, is as refused as one that it refused before.
    /// </summary>
    public ApiError? UntoldListError(DeclaredServer server, McpFailure failure) =>
        failure.Kind == McpFailureKind.Refused && server.Declared.Url is not null ? Refused(server.Declared, failure.Message)
        : FailsOnListFailure ? ListError(server.Label, failure)
        : null;

    private static ApiError Refused(McpServerTool declared, string why) =>
        ApiError.InvalidValue($"{declared.Path}.server_url", $"Invalid '{declared.Path}.server_url': {why}");

    private ServerCallResult ResultOf(ServerCall call, LoopRequest loop, McpCallOutcome answer)
    {
        var text = OutputCut.Cut(answer.Failure?.Message ?? answer.Text, options.Value.OutputBytes);
        if (call.Binding is { Kind: not ServerCallKind.Mcp } binding)
        {
            return binding.ResultOf(answer, text, loop.Request.Include, options.Value.OutputBytes, egress.Value.Images.ImageBytes);
        }

        return answer.Failure is null && !answer.IsError ? ServerCallItems.Completed(text) : ServerCallItems.Failed(text);
    }

    private static string OutcomeOf(McpCallOutcome answer, ServerCallResult result) => answer switch
    {
        { Failure.Kind: McpFailureKind.Timeout } => "timeout",
        { Failure.Kind: McpFailureKind.Refused } => "refused",
        { Failure: not null } => "unreachable",
        _ => result.End == ServerCallEnd.Completed ? "completed" : "failed",
    };
}
