using Gateway.Protocol.Responses;
using Gateway.Tools.Mcp;

namespace Gateway.Tools;

/// <summary>
/// Finds out what tools the servers of one response have, from the chain, from the journal or from the servers themselves, and offers them to the
/// model.
/// </summary>
internal sealed class ServerToolLists(ServerTools tools, LoopContext context, ResponseEventStream events, ILoopOutput output)
{
    private readonly LoopRequest _loop = context.Loop;

    /// <summary>Lists the tools of every server that the chain holds no list of, all at once, and tells the lists in the servers' order.</summary>
    public async Task<ApiError?> ListAsync(IReadOnlyList<DeclaredServer> servers, CancellationToken cancellationToken)
    {
        var lists = servers.Select(server => (Server: server, Known: FindList(server.Declared))).ToList();
        var listings = lists
            .Select(list => list.Known is null && _loop.Journal.FindList(list.Server.Label) is null ? AskAsync(list.Server, cancellationToken) : null)
            .ToList();
        if (!output.IsStream && !_loop.OnlyRestores)
        {
            // Nothing is told yet: the failure can be the answer.
            for (var i = 0; i < lists.Count; i++)
            {
                if (listings[i] is { } listing && await listing is { Failure: { } failure } && tools.UntoldListError(lists[i].Server, failure) is { } error)
                {
                    return error;
                }
            }
        }

        for (var i = 0; i < lists.Count; i++)
        {
            var (server, known) = lists[i];
            if (known is { } inChain)
            {
                Offer(server, McpItems.ToolsOf(inChain));
                continue;
            }

            events.OpenToolList(server.Label);
            if (listings[i] is not { } listing)
            {
                var made = ItemTable.View(_loop.Journal.FindList(server.Label)!.Value);
                events.CloseToolList(McpItems.ListOf(made).Span, null);
                context.AddList(events.State.Output[^1], server.Declared.Allowed);
                Offer(server, McpItems.ToolsOf(made));
                continue;
            }

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

            if (found.Failure is null)
            {
                await _loop.Journal.ListedAsync(server.Label, events.State.Output[^1], cancellationToken);
            }

            Offer(server, McpItems.ToolsOf(ItemTable.View(events.State.Output[^1])));
        }

        return null;
    }

    private Task<McpListing> AskAsync(DeclaredServer server, CancellationToken cancellationToken) => _loop.OnlyRestores
        ? Task.FromCanceled<McpListing>(new CancellationToken(canceled: true))
        : tools.ListAsync(server, cancellationToken);

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
                IsRepeatable = tool.IsRepeatable,
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
}
