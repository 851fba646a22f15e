using Gateway.Protocol.Responses;
using Gateway.Protocol.Translation;

namespace Gateway.Tools;

/// <summary>
/// The server-run tools of one response: lists them, runs the calls of each round, and tells all of it as items, one after another in the
/// order of the calls.
/// </summary>
internal sealed class ServerToolRun(ServerTools tools, LoopContext context, ResponseEventStream events, ILoopOutput output)
{
    private const string LimitText = "The tool call limit is reached: this call was not made. Answer with what you have.";
    private readonly LoopRequest _loop = context.Loop;
    private readonly List<string> _claimed = [];
    private IReadOnlyList<DeclaredServer> _servers = [];

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

        (_servers, var refused) = await tools.WaitAsync(tools.ResolveAsync(_loop, cancellationToken), output, cancellationToken);
        if (refused is not null)
        {
            return refused;
        }

        if (FindServers(approved) is { } missing)
        {
            return missing;
        }

        try
        {
            return await ClaimAsync(approved, refusals, cancellationToken)
                ?? await ListAsync(cancellationToken)
                ?? ResolveChoice()
                ?? await RunApprovedAsync(approved, cancellationToken);
        }
        finally
        {
            foreach (var id in _claimed)
            {
                await _loop.Approvals.ReleaseAsync(id);
            }
        }
    }

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
        var running = Start(prepared, stop.Token);
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
        finally
        {
            await stop.CancelAsync();
            await SettleAsync(running);
        }

        Budget.EndRound();
        return goesOn;
    }

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

    private DeclaredServer? FindServer(Tool tool) =>
        tool.Kind == ToolKind.Hosted ? tools.Hosted.Find(tool)?.Server : _servers.FirstOrDefault(server => server.Label == tool.ServerLabel);

    private Task<ServerCallResult>[] Start(List<ServerCall?> calls, CancellationToken cancellationToken)
    {
        var slots = new SemaphoreSlim(tools.ParallelCalls);
        return [.. calls.Select(call => call is { Verdict: CallVerdict.Run, Server: { } server }
            ? RunInSlotAsync(call, server, slots, cancellationToken)
            : Task.FromResult(Withheld))];
    }

    private static ServerCallResult Withheld { get; } = new(ServerCallEnd.Incomplete, string.Empty, default);

    private async Task<ServerCallResult> RunInSlotAsync(ServerCall call, DeclaredServer server, SemaphoreSlim slots, CancellationToken cancellationToken)
    {
        await slots.WaitAsync(cancellationToken);
        try
        {
            return await tools.CallAsync(call, server, _loop, cancellationToken);
        }
        finally
        {
            slots.Release();
        }
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

        events.OpenServerCall(call.Binding?.Kind ?? ServerCallKind.Mcp, StartOf(call), TextOf(call));
        await output.FlushAsync(cancellationToken);
        var result = call.Verdict switch
        {
            CallVerdict.Run => await tools.WaitAsync(running, output, cancellationToken),
            CallVerdict.Repeated => ServerTools.Failed(call, "This call was made before with the same arguments, too often. Use its earlier outputs."),
            _ => Withheld,
        };
        events.CloseServerCall(result.End, result.Members.Span);
        await output.FlushAsync(cancellationToken);
        var hidden = HiddenOf(call, result.Text, onlyIfRenamed: call.Binding is null);
        context.AddServerCall(events.State.Output[^1], call.UpstreamId, hidden, startsRound, startsKept);
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
            var id = request.Id;
            if (!await _loop.Approvals.ClaimAsync(id, cancellationToken))
            {
                return Approvals.Used(PathOf(id), id);
            }

            _claimed.Add(id);
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

            // From here on nobody may run it again, whatever happens.
            _claimed.Remove(request.Id);
            events.OpenServerCall(ServerCallKind.Mcp, ServerCallItems.Start(call), arguments);
            await output.FlushAsync(cancellationToken);
            var result = call.Verdict switch
            {
                CallVerdict.Run => await tools.WaitAsync(tools.CallAsync(call, server, _loop, cancellationToken), output, cancellationToken),
                CallVerdict.Unknown => ServerCallItems.Failed("This tool may not be used any more."),
                _ => ServerCallItems.Failed(LimitText),
            };
            events.CloseServerCall(result.End, result.Members.Span);
            await output.FlushAsync(cancellationToken);
            var hidden = HiddenOf(call, result.Text, onlyIfRenamed: true);
            context.AddServerCall(events.State.Output[^1], null, hidden, startsRound: false, startsKept: false);
        }

        return null;
    }

    /// <summary>Lists the tools of every server that the chain holds no list of, all at once, and tells the lists in the servers' order.</summary>
    private async Task<ApiError?> ListAsync(CancellationToken cancellationToken)
    {
        var lists = _servers.Select(server => (Server: server, Known: FindList(server.Declared))).ToList();
        var listings = lists.Select(list => list.Known is null ? tools.ListAsync(list.Server, cancellationToken) : null).ToList();
        if (!output.IsStream && tools.FailsOnListFailure)
        {
            // Nothing is told yet: the failure can be the answer.
            foreach (var listing in listings)
            {
                if (listing is not null && await listing is { Failure: { } failure })
                {
                    return ServerTools.ListError(lists[listings.IndexOf(listing)].Server.Label, failure);
                }
            }
        }

        for (var i = 0; i < lists.Count; i++)
        {
            var (server, known) = lists[i];
            if (listings[i] is not { } listing)
            {
                Offer(server, McpItems.ToolsOf(known!.Value));
                continue;
            }

            events.OpenToolList(server.Label);
            await output.FlushAsync(cancellationToken);
            var found = await tools.WaitAsync(listing, output, cancellationToken);
            var allowed = found.Tools.Where(tool => server.Allows(tool.Name, tool.IsReadOnly)).ToList();
            events.CloseToolList(McpListJson.Write(allowed), found.Failure is { } why ? ServerTools.ListError(server.Label, why).Message : null);
            await output.FlushAsync(cancellationToken);
            context.AddList(events.State.Output[^1], server.Declared.Allowed);
            if (found.Failure is { } failure && tools.FailsOnListFailure)
            {
                return ServerTools.ListError(server.Label, failure);
            }

            Offer(server, McpItems.ToolsOf(ItemTable.View(events.State.Output[^1])));
        }

        return null;
    }

    private void Offer(DeclaredServer server, IReadOnlyList<McpListedTool> listed)
    {
        var taken = context.Tools.Select(static tool => tool.UpstreamName).ToHashSet(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var offered = new List<Tool>();
        foreach (var tool in listed)
        {
            // A list that a client brought may hold a name twice.
            if (!server.Allows(tool.Name, tool.IsReadOnly) || !names.Add(tool.Name))
            {
                continue;
            }

            var upstreamName = ToolNames.Flatten(server.Label, tool.Name, taken);
            taken.Add(upstreamName);
            offered.Add(new Tool
            {
                Kind = ToolKind.Mcp,
                Name = tool.Name,
                ServerLabel = server.Label,
                UpstreamName = upstreamName,
                Description = server.Declared.Description is { } about ? $"{about}\n{tool.Description}".TrimEnd() : tool.Description,
                Parameters = tool.InputSchema,
                IsReadOnly = tool.IsReadOnly,
            });
        }

        context.AddTools(offered);
    }

    /// <summary>The newest list of a server in the context that holds every tool the request allows, as far as is known.</summary>
    private Item? FindList(McpServerTool declared)
    {
        for (var i = _loop.Items.Count - 1; i >= 0; i--)
        {
            var item = _loop.Items[i];
            if (item.Kind == ItemKind.McpListTools && McpItems.ServerLabelOf(item) == declared.Label && !McpItems.HasError(item) && HoldsAllowed(item, declared))
            {
                return item;
            }
        }

        return null;
    }

    /// <summary>
    /// A list holds what was allowed when it was made, and a later request may allow more. Of one that a client brought nobody knows what was
    /// allowed: a tool that the request names must be in it.
    /// </summary>
    private bool HoldsAllowed(Item list, McpServerTool declared) => _loop.Notes.Lists.TryGetValue(list.Id, out var filter)
        ? McpToolFilter.IsWithin(declared.Allowed, filter)
        : declared.Allowed?.Names is not { } names || names.All(McpItems.ToolsOf(list).Select(static tool => tool.Name).ToHashSet(StringComparer.Ordinal).Contains);

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
