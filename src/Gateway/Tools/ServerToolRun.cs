using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>
/// The server-run tools of one response: lists them, runs the calls of each round, and tells all of it as items, one after another in the
/// order of the calls.
/// </summary>
internal sealed class ServerToolRun(ServerTools tools, LoopContext context, ResponseEventStream events, ILoopOutput output)
{
    private const string UnknownText =
        "The gateway was interrupted while this call ran. Whether it had an effect is unknown, and it was not made again. Find out before you repeat it.";
    private const string InterruptedText = "The response ended before this call did. It may have run.";
    private const string RepeatedText = "This call was made before with the same arguments, too often. Use its earlier outputs.";
    private const string LimitText = "The tool call limit is reached: this call was not made. Answer with what you have.";
    private readonly LoopRequest _loop = context.Loop;
    private readonly List<string> _claimed = [];
    private IReadOnlyList<DeclaredServer> _servers = [];
    private int _rounds;

    public ToolBudget Budget { get; } = tools.NewBudget(context.Loop.MaxToolCalls);

    /// <summary>
    /// Everything before the first round: checks the servers and the approvals, lists what the chain has no list of, and runs approved calls.
    /// </summary>
    /// <returns>The error that ends the response, or null.</returns>
    public async Task<ApiError?> BeginAsync(CancellationToken cancellationToken)
    {
        if (Approvals.Find(_loop.Items, _loop.ChainItems, out var approved, out var refusals) is { } unknown)
        {
            return unknown;
        }

        if (await FindServersAsync(approved, cancellationToken) is { } missing)
        {
            return missing;
        }

        try
        {
            return await ClaimAsync(approved, refusals, cancellationToken)
                ?? await ListToolsAsync(cancellationToken)
                ?? await RunApprovedAsync(approved, cancellationToken);
        }
        finally
        {
            // Whoever goes on with a run needs them. All at once: a store that does not answer is waited for once.
            await Task.WhenAll((EndsHere ? _claimed : []).Select(id => _loop.Approvals.ReleaseAsync(id).AsTask()));
        }
    }

    /// <summary>Only lists what the chain has no list of: enough to know what the model would be offered. Takes no approval and runs nothing.</summary>
    /// <returns>The error that a response would end with, or null.</returns>
    public async Task<ApiError?> ListAsync(CancellationToken cancellationToken) =>
        Approvals.Find(_loop.Items, _loop.ChainItems, out var approved, out _)
        ?? await FindServersAsync(approved, cancellationToken)
        ?? await ListToolsAsync(cancellationToken);

    /// <summary>Runs the server-run calls of a round, and writes the items of its client-run calls that stand behind them.</summary>
    /// <param name="calls">The round's calls.</param>
    /// <param name="isCut">The model was cut off: nothing of the round may run.</param>
    /// <param name="isFirstInRound">The round has given no item so far.</param>
    /// <param name="cancellationToken">Ends the calls.</param>
    /// <returns>True when the model is to go on: there was a server-run call, and none for the client or the user.</returns>
    public async Task<bool> RunAsync(IReadOnlyList<RoundCall> calls, bool isCut, bool isFirstInRound, CancellationToken cancellationToken)
    {
        var prepared = calls.Select(call => Prepare(call, isCut)).ToList();
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var running = Start(prepared, _rounds++, stop.Token);
        var goesOn = !isCut && prepared.Exists(static call => call is not null);
        var isFirstKept = isFirstInRound;
        try
        {
            for (var i = 0; i < calls.Count; i++)
            {
                if (prepared[i] is not { } call)
                {
                    goesOn = false;
                    WriteClientCall(calls[i], isFirstKept);
                    isFirstKept = false;
                    continue;
                }

                goesOn &= call.Verdict != CallVerdict.AskUser;
                if (call.Verdict == CallVerdict.Cut && i < calls.Count - 1)
                {
                    // Only the last item of a response can be incomplete.
                    continue;
                }

                await TellAsync(call, running[i], isFirstInRound, isFirstKept, cancellationToken);
                isFirstInRound = false;
                isFirstKept &= call.Verdict is CallVerdict.Unknown or CallVerdict.OverLimit;
            }
        }
        catch (OperationCanceledException e) when (e is not ClientGoneException)
        {
            await EndAsync(running, stop);
            if (EndsHere)
            {
                await TellInterruptedAsync(prepared, running);
            }

            throw;
        }
        finally
        {
            await EndAsync(running, stop);
        }

        Budget.EndRound();
        return goesOn;
    }

    private async Task<ApiError?> FindServersAsync(IReadOnlyList<Item> approved, CancellationToken cancellationToken)
    {
        (_servers, var refused) = await tools.WaitAsync(tools.ResolveAsync(_loop, cancellationToken), output, cancellationToken);
        return refused ?? FindServers(approved);
    }

    private async Task<ApiError?> ListToolsAsync(CancellationToken cancellationToken) =>
        (_servers.Count == 0 ? null : await new ServerToolLists(tools, context, events, output).ListAsync(_servers, cancellationToken)) ?? ResolveChoice();

    /// <summary>The request's choice may name tools that are known only now.</summary>
    private ApiError? ResolveChoice()
    {
        var error = context.Choice.Resolve(context.Tools, out var choice);
        context.Choice = choice;
        return error;
    }

    private ServerCall? Prepare(RoundCall call, bool isCut)
    {
        if (call.Deferred is not { } deferred || call.Tool is { IsServerRun: false })
        {
            return null;
        }

        if (call.Tool is not { } tool || FindServer(tool) is not { } server || !IsAllowed(tool, server))
        {
            return new ServerCall
            {
                Tool = call.Tool ?? new Tool { Kind = ToolKind.Mcp, Name = deferred.Name, UpstreamName = deferred.Name },
                Arguments = deferred.Arguments,
                UpstreamId = call.UpstreamId,
                Verdict = CallVerdict.Unknown,
            };
        }

        return new ServerCall
        {
            Tool = tool,
            Arguments = deferred.Arguments,
            UpstreamId = call.UpstreamId,
            Server = server,
            Binding = tools.Hosted.Find(tool),
            Verdict = isCut ? CallVerdict.Cut
                : server.Declared.Approval.IsNeeded(tool.Name, tool.IsReadOnly) ? CallVerdict.AskUser
                : Budget.Take(tool.UpstreamName, deferred.Arguments),
        };
    }

    /// <summary>The server still lets the tool be used, and the request's choice does too.</summary>
    private bool IsAllowed(Tool tool, DeclaredServer server) =>
        !context.WithoutServerTools
        && (tool.Kind == ToolKind.Hosted || server.Allows(tool.Name, tool.IsReadOnly))
        && context.Choice.Mode != ToolChoiceMode.None
        && context.Choice.Only?.Contains(tool) != false;

    /// <summary>Nobody goes on with the response: what can be told of its calls is told now.</summary>
    private bool EndsHere => !_loop.Journal.HandOver.IsCancellationRequested;

    private DeclaredServer? FindServer(Tool tool) =>
        tool.Kind == ToolKind.Hosted ? tools.Hosted.Find(tool)?.Server : _servers.FirstOrDefault(server => server.Label == tool.ServerLabel);

    private Task<ServerCallResult>[] Start(List<ServerCall?> calls, int round, CancellationToken cancellationToken)
    {
        var slots = new SemaphoreSlim(tools.ParallelCalls);
        return [.. calls.Select((call, i) => call switch
        {
            { Verdict: CallVerdict.Run, Server: { } server } => RunInSlotAsync($"{round}.{i}", call, server, slots, cancellationToken),
            { Verdict: CallVerdict.Repeated } => Task.FromResult(ServerTools.Failed(call, RepeatedText)),
            _ => Task.FromResult(Withheld),
        })];
    }

    private static ServerCallResult Withheld { get; } = new(ServerCallEnd.Incomplete, string.Empty, default);

    private async Task<ServerCallResult> RunInSlotAsync(
        string id, ServerCall call, DeclaredServer server, SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken);
        try
        {
            return await RunOnceAsync(id, call, server, cancellationToken);
        }
        finally
        {
            slots.Release();
        }
    }

    /// <summary>
    /// Runs a call, unless the journal has its outcome. One that was started and has none may have had its effect: only a tool that says that
    /// once more does no harm is called again.
    /// </summary>
    private async Task<ServerCallResult> RunOnceAsync(string id, ServerCall call, DeclaredServer server, CancellationToken cancellationToken)
    {
        var journal = _loop.Journal;
        var known = journal.FindCall(id);
        if (known?.Result is { } outcome)
        {
            return outcome;
        }

        ServerCallResult result;
        if (known is not null && !call.Tool.IsRepeatable)
        {
            result = ServerTools.Failed(call, UnknownText);
        }
        else if (_loop.OnlyRestores)
        {
            throw new OperationCanceledException("The call was not made.");
        }
        else
        {
            await journal.CallStartedAsync(id, cancellationToken);
            result = await tools.CallAsync(call, server, _loop, cancellationToken);
        }

        await journal.CallEndedAsync(id, result, cancellationToken);
        return result;
    }

    /// <summary>Writes the call's item, waits for its outcome, and puts it where the model sees it.</summary>
    private async Task TellAsync(ServerCall call, Task<ServerCallResult> running, bool startsRound, bool startsKept, CancellationToken cancellationToken)
    {
        switch (call.Verdict)
        {
            case CallVerdict.AskUser:
                events.WriteApprovalRequest(call.Label, call.Tool.Name, call.Arguments);
                context.AddServerCall(events.State.Output[^1], call.UpstreamId, HiddenOf(call, string.Empty, onlyIfRenamed: true), startsRound, startsKept);
                return;
            case CallVerdict.Unknown:
                context.AddWithheld(HiddenOf(call, $"There is no tool '{call.Tool.UpstreamName}'."), call.UpstreamId, startsRound);
                return;
            case CallVerdict.OverLimit:
                context.AddWithheld(HiddenOf(call, LimitText), call.UpstreamId, startsRound);
                return;
        }

        Open(call);
        await output.FlushAsync(cancellationToken);
        var result = await tools.WaitAsync(running, output, cancellationToken);
        Close(call, result);
        await output.FlushAsync(cancellationToken);
        var hidden = HiddenOf(call, result.Text, onlyIfRenamed: call.Binding is null);
        context.AddServerCall(events.State.Output[^1], call.UpstreamId, hidden, startsRound, startsKept);
    }

    /// <summary>
    /// The response ends while calls run, and tells what they did all the same: those beside the one that is waited for may be done. It sends
    /// nothing, since nobody waits for the client here.
    /// </summary>
    private async Task TellInterruptedAsync(List<ServerCall?> calls, Task<ServerCallResult>[] ended)
    {
        for (var i = 0; i < calls.Count; i++)
        {
            if (calls[i] is not { Verdict: CallVerdict.Run or CallVerdict.Repeated, IsTold: false } call)
            {
                continue;
            }

            // The first of them may have been opened already.
            if (!events.HasOpenItem)
            {
                Open(call);
            }

            Close(call, ended[i].IsCompletedSuccessfully ? await ended[i] : ServerTools.Failed(call, InterruptedText));
        }
    }

    private void Open(ServerCall call) => events.OpenServerCall(call.Binding?.Kind ?? ServerCallKind.Mcp, StartOf(call), TextOf(call));

    private void Close(ServerCall call, ServerCallResult result)
    {
        events.CloseServerCall(result.End, result.Members.Span);
        call.IsTold = true;
    }

    /// <summary>What the model sees of a call; null when its item tells so, by the name that label and tool have together.</summary>
    private static HiddenCall? HiddenOf(ServerCall call, string outputText, bool onlyIfRenamed) =>
        onlyIfRenamed && call.Tool.UpstreamName == ToolNames.Flatten(call.Label, call.Tool.Name) ? null : HiddenOf(call, outputText);

    private static HiddenCall HiddenOf(ServerCall call, string outputText) =>
        new(call.Tool.UpstreamName, ToolArguments.IsObject(call.Arguments) ? call.Arguments : "{}", outputText);

    private byte[] StartOf(ServerCall call) => call.Binding is { Kind: not ServerCallKind.Mcp } binding
        ? binding.StartMembers(call.Arguments, _loop.Session)
        : ServerCallItems.Start(call);

    private static string TextOf(ServerCall call) => call.Binding?.TextOf(call.Arguments) ?? call.Arguments;

    /// <summary>A client-run call behind a server-run one: its item was waiting for its turn.</summary>
    private void WriteClientCall(RoundCall call, bool startsKept)
    {
        if (call.Deferred is not { } deferred)
        {
            return;
        }

        var name = call.Tool?.Name ?? deferred.Name;
        if (call.Tool?.Kind == ToolKind.Custom)
        {
            events.OpenCustomToolCall(call.CallId, name, call.Tool.Namespace);
        }
        else
        {
            events.OpenFunctionCall(call.CallId, name, call.Tool?.Namespace);
        }

        if (deferred.Arguments.Length > 0)
        {
            events.CallDelta(System.Text.Encoding.UTF8.GetBytes(deferred.Arguments));
        }

        events.CloseItem(completed: !deferred.IsCut);
        context.Add(events.State.Output[^1]);
        context.OwnNotes.Add(call.CallId, null, startsRound: startsKept);
    }

    /// <summary>An approved call needs its server in this request: tools are not inherited.</summary>
    private ApiError? FindServers(IReadOnlyList<Item> approved)
    {
        foreach (var request in approved)
        {
            var label = McpItems.ServerLabelOf(request);
            if (!_servers.Any(server => server.Label == label))
            {
                return ApiError.InvalidValue("tools", $"The approved call needs the MCP server '{label}', which is not in 'tools'.");
            }
        }

        return null;
    }

    private async Task<ApiError?> ClaimAsync(IReadOnlyList<Item> approved, IReadOnlyList<string> refusals, CancellationToken cancellationToken)
    {
        foreach (var request in approved)
        {
            // Before the answer: one that is lost says nothing, and what another response has is not given back.
            var id = request.Id;
            if (_loop.Journal.FindCall(CallOf(id)) is null)
            {
                _claimed.Add(id);
            }

            if (!await _loop.Approvals.ClaimAsync(id, cancellationToken))
            {
                return Approvals.Used(PathOf(id), id);
            }
        }

        foreach (var id in refusals)
        {
            if (!await _loop.Approvals.RefuseAsync(id, cancellationToken))
            {
                return Approvals.Used(PathOf(id), id);
            }
        }

        return null;
    }

    /// <summary>The journal's name of an approved call.</summary>
    private static string CallOf(string approvalRequestId) => "approved." + approvalRequestId;

    private string PathOf(string approvalRequestId)
    {
        for (var i = _loop.ChainItems; i < _loop.Items.Count; i++)
        {
            if (_loop.Items[i].Kind == ItemKind.McpApprovalResponse && McpItems.ApprovalRequestIdOf(_loop.Items[i]) == approvalRequestId)
            {
                return $"input[{i - _loop.ChainItems}].approval_request_id";
            }
        }

        return "input";
    }

    private async Task<ApiError?> RunApprovedAsync(IReadOnlyList<Item> approved, CancellationToken cancellationToken)
    {
        foreach (var request in approved)
        {
            var label = McpItems.ServerLabelOf(request)!;
            var name = McpItems.NameOf(request)!;
            var server = _servers.First(candidate => candidate.Label == label);
            var tool = context.Tools.FirstOrDefault(candidate => candidate.ServerLabel == label && candidate.Name == name)
                ?? new Tool { Kind = ToolKind.Mcp, Name = name, ServerLabel = label, UpstreamName = ToolNames.Flatten(label, name) };
            var arguments = McpItems.ArgumentsOf(request)!;
            var call = new ServerCall
            {
                Tool = tool,
                Arguments = arguments,
                Server = server,
                ApprovalRequestId = request.Id,
                Verdict = server.Allows(name, tool.IsReadOnly) ? Budget.Take(tool.UpstreamName, arguments) : CallVerdict.Unknown,
            };

            Open(call);
            await output.FlushAsync(cancellationToken);

            // From here on nobody may run it again, whatever happens.
            cancellationToken.ThrowIfCancellationRequested();
            _claimed.Remove(request.Id);
            var running = call.Verdict switch
            {
                CallVerdict.Run => RunOnceAsync(CallOf(request.Id), call, server, cancellationToken),
                CallVerdict.Unknown => Task.FromResult(ServerCallItems.Failed("This tool may not be used any more.")),
                CallVerdict.Repeated => Task.FromResult(ServerCallItems.Failed(RepeatedText)),
                _ => Task.FromResult(ServerCallItems.Failed(LimitText)),
            };
            ServerCallResult result;
            try
            {
                result = await tools.WaitAsync(running, output, cancellationToken);
                Close(call, result);
                await output.FlushAsync(cancellationToken);
            }
            catch (OperationCanceledException e) when (e is not ClientGoneException)
            {
                await SettleAsync([running]);
                if (EndsHere)
                {
                    await TellInterruptedAsync([call], [running]);
                }

                throw;
            }

            var hidden = HiddenOf(call, result.Text, onlyIfRenamed: true);
            context.AddServerCall(events.State.Output[^1], null, hidden, startsRound: false, startsKept: false);
        }

        if (approved.Count > 0)
        {
            // As behind any round of server-run calls: the model is to answer.
            context.Choice = context.Choice.Relax();
        }

        return null;
    }

    private static async Task EndAsync(Task<ServerCallResult>[] running, CancellationTokenSource stop)
    {
        await stop.CancelAsync();
        await SettleAsync(running);
    }

    /// <summary>Sees every call to its end, so that none outlives the response unseen.</summary>
    private static async Task SettleAsync(Task<ServerCallResult>[] running)
    {
        try
        {
            await Task.WhenAll(running);
        }
        catch (OperationCanceledException)
        {
            // The response is over: what the others did does not matter any more.
        }
    }
}
