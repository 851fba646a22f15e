namespace Gateway.Protocol.Responses;

/// <summary>
/// The table of item types: a row per type with its required members and what the gateway does with it. It drives validation here and the
/// mapping to messages in the translation, so that a new type is a row, and a mapping if none of those there suits it.
/// </summary>
public static partial class ItemTable
{
    private const JsonShapes Text = JsonShapes.String;
    private const JsonShapes TextOrNull = JsonShapes.String | JsonShapes.Null;
    private const JsonShapes TextOrArray = JsonShapes.String | JsonShapes.Array;
    private const JsonShapes ArrayOrNull = JsonShapes.Array | JsonShapes.Null;
    private const JsonShapes TextOrObject = JsonShapes.String | JsonShapes.Object;

    /// <summary>Members that every item may have. <c>type</c> is checked by the search for the row.</summary>
    private static readonly MemberRule[] CommonMembers =
        [new("type", TextOrNull), new("id", TextOrNull, Check: CheckId), new("status", TextOrNull)];

    private static readonly MemberRule ItemId = new("id", Text, Required: true, CheckGivenId);

    private static readonly MemberRule CallId = new("call_id", Text, Required: true, CheckNotEmpty);

    /// <summary>An output without a call id is well-formed; that it answers no call is found when the context is checked.</summary>
    private static readonly MemberRule OutputCallId = new("call_id", TextOrNull, Required: true);

    private static readonly ItemRow[] Rows =
    [
        // Messages first: most items are, and the table is searched from the top.
        new(ItemKind.Message, "message", ItemMapping.Message,
            [new("role", Text, Required: true, CheckRole), new("content", TextOrArray, Required: true), new("phase", TextOrNull, Check: CheckPhase)])
        { IdPrefix = "msg" },

        new(ItemKind.FunctionCall, "function_call", ItemMapping.Call,
            [CallId, new("name", Text, Required: true, CheckNotEmpty), new("arguments", Text, Required: true), new("namespace", TextOrNull)])
        { IdPrefix = "fc", HasCallId = true, Payload = "arguments" },

        new(ItemKind.FunctionCallOutput, "function_call_output", ItemMapping.Output,
            [OutputCallId, new("output", TextOrArray, Required: true, CheckToolOutput), new("name", TextOrNull), new("namespace", TextOrNull)])
        { IdPrefix = "fco", HasCallId = true, Payload = "output" },

        new(ItemKind.Reasoning, "reasoning", ItemMapping.Reasoning,
            [
                new("summary", JsonShapes.Array, Required: true, CheckSummary),
                new("content", ArrayOrNull, Check: CheckReasoning),
                new("encrypted_content", TextOrNull),
            ])
        { IdPrefix = "rs" },

        new(ItemKind.CustomToolCall, "custom_tool_call", ItemMapping.Call,
            [CallId, new("name", Text, Required: true, CheckNotEmpty), new("input", Text, Required: true), new("namespace", TextOrNull)])
        { IdPrefix = "ctc", HasCallId = true, Payload = "input" },

        new(ItemKind.CustomToolCallOutput, "custom_tool_call_output", ItemMapping.Output,
            [OutputCallId, new("output", TextOrArray, Required: true, CheckToolOutput)])
        { IdPrefix = "ctco", HasCallId = true, Payload = "output" },

        // References are replaced by what they stand for before anything is mapped.
        new(ItemKind.ItemReference, "item_reference", ItemMapping.None, [ItemId]) { IdPrefix = "ref" },

        // Replayed history of server-run tools. A list serves as the cache of its server's tools, an approval request waits for its answer.
        new(ItemKind.McpListTools, "mcp_list_tools", ItemMapping.None,
            [new("server_label", Text, Required: true), new("tools", JsonShapes.Array, Required: true)])
        { IdPrefix = "mcpl" },
        new(ItemKind.McpCall, "mcp_call", ItemMapping.CallWithOutput,
            [
                ItemId, new("server_label", Text, Required: true, CheckNotEmpty),
                new("name", Text, Required: true, CheckNotEmpty), new("arguments", Text, Required: true), new("output", TextOrNull),
                new("error", JsonShapes.String | JsonShapes.Object | JsonShapes.Null), new("approval_request_id", TextOrNull),
            ])
        { IdPrefix = "mcp", Payload = "arguments" },
        new(ItemKind.McpApprovalRequest, "mcp_approval_request", ItemMapping.ApprovalRequest,
            [
                ItemId, new("server_label", Text, Required: true), new("name", Text, Required: true),
                new("arguments", Text, Required: true),
            ])
        { IdPrefix = "mcpr" },

        new(ItemKind.McpApprovalResponse, "mcp_approval_response", ItemMapping.None,
            [
                new("approval_request_id", Text, Required: true, CheckNotEmpty), new("approve", JsonShapes.Boolean, Required: true),
                new("reason", TextOrNull),
            ])
        { IdPrefix = "mcpa" },

        // The outcome of a server-run call as an item of its own, for clients that read it so. Written from the call, never stored.
        new(ItemKind.ToolOutput, "tool_output", ItemMapping.None,
            [new("tool_call_id", Text, Required: true, CheckNotEmpty), new("output", TextOrArray | JsonShapes.Null)])
        { IdPrefix = "to" },

        // Not served yet: each needs a feature of its own behind it.
        new(ItemKind.Compaction, "compaction", ItemMapping.None, []) { IdPrefix = "cmp", Rejected = true },
        new(ItemKind.CompactionTrigger, "compaction_trigger", ItemMapping.None, []) { IdPrefix = "cmpt", Rejected = true },

        new(ItemKind.ConfigurationUpdate, "configuration_update", ItemMapping.Settings,
            [
                new("reasoning", JsonShapes.Object | JsonShapes.Null, Check: CheckReasoningSettings),
                new("text", JsonShapes.Object | JsonShapes.Null, Check: CheckTextSettings),
            ])
        { IdPrefix = "cfg" },
        new(ItemKind.AdditionalTools, "additional_tools", ItemMapping.None,
            [new("role", TextOrNull), new("tools", JsonShapes.Array, Required: true, CheckTools)])
        { IdPrefix = "at" },

        new(ItemKind.ToolSearchCall, "tool_search_call", ItemMapping.Call,
            [new("call_id", TextOrNull), new("arguments", TextOrObject, Required: true)])
        { IdPrefix = "tsc", HasCallId = true, Payload = "arguments", ToolName = "tool_search" },
        new(ItemKind.ToolSearchOutput, "tool_search_output", ItemMapping.Output,
            [new("call_id", TextOrNull), new("tools", JsonShapes.Array, Required: true, CheckTools)])
        { IdPrefix = "tso", HasCallId = true, Payload = "tools" },

        // Hosted tools: what the model sees of a call is kept beside the item. Replayed history of calls that ran elsewhere has nothing kept: it
        // is accepted and listed, the model does without it.
        new(ItemKind.WebSearchCall, "web_search_call", ItemMapping.HostedCall, []) { IdPrefix = "ws" },
        new(ItemKind.FileSearchCall, "file_search_call", ItemMapping.HostedCall, []) { IdPrefix = "fs" },
        new(ItemKind.CodeInterpreterCall, "code_interpreter_call", ItemMapping.HostedCall, []) { IdPrefix = "ci" },
        new(ItemKind.ImageGenerationCall, "image_generation_call", ItemMapping.HostedCall, []) { IdPrefix = "ig" },

        // Tools that the client runs: calls and outputs with a form of their own.
        new(ItemKind.ComputerCall, "computer_call", ItemMapping.Call,
            [CallId, new("action", JsonShapes.Object | JsonShapes.Null), new("actions", ArrayOrNull)])
        { IdPrefix = "cu", HasCallId = true, Payload = "action", ToolName = "computer" },
        new(ItemKind.ComputerCallOutput, "computer_call_output", ItemMapping.Output,
            [CallId, new("output", JsonShapes.Object, Required: true)])
        { IdPrefix = "cuo", HasCallId = true, Payload = "output" },
        new(ItemKind.ShellCall, "shell_call", ItemMapping.Call, [CallId, new("action", JsonShapes.Object, Required: true)])
        { IdPrefix = "sh", HasCallId = true, Payload = "action", ToolName = "shell" },
        new(ItemKind.ShellCallOutput, "shell_call_output", ItemMapping.Output, [CallId, new("output", TextOrArray, Required: true)])
        { IdPrefix = "sho", HasCallId = true, Payload = "output" },
        new(ItemKind.LocalShellCall, "local_shell_call", ItemMapping.Call, [CallId, new("action", JsonShapes.Object, Required: true)])
        { IdPrefix = "lsh", HasCallId = true, Payload = "action", ToolName = "local_shell" },

        // OpenAI's own types name the answered call by id instead of call_id here.
        new(ItemKind.LocalShellCallOutput, "local_shell_call_output", ItemMapping.Output,
            [new("call_id", TextOrNull), new("output", TextOrArray, Required: true)])
        { IdPrefix = "lsho", HasCallId = true, Payload = "output" },
        new(ItemKind.ApplyPatchCall, "apply_patch_call", ItemMapping.Call, [CallId, new("operation", JsonShapes.Object, Required: true)])
        { IdPrefix = "apc", HasCallId = true, Payload = "operation", ToolName = "apply_patch" },
        new(ItemKind.ApplyPatchCallOutput, "apply_patch_call_output", ItemMapping.Output, [CallId, new("output", TextOrNull)])
        { IdPrefix = "apco", HasCallId = true, Payload = "output" },

        // Programmatic tool calling: kept opaque. The parser refuses a request that ends in one, since nothing here could go on with it.
        new(ItemKind.Program, "program", ItemMapping.None, [new("call_id", TextOrNull)]) { IdPrefix = "prog" },
        new(ItemKind.ProgramOutput, "program_output", ItemMapping.None, [new("call_id", TextOrNull)]) { IdPrefix = "prgo" },

        new(ItemKind.AgentMessage, "agent_message", ItemMapping.UserText, [new("content", TextOrArray | JsonShapes.Null), new("text", TextOrNull)])
        { IdPrefix = "amsg" },
    ];

    private static readonly ItemRow[] RowsByKind = IndexByKind();

    private static readonly string[] SupportedTypes = [.. Rows.Where(row => !row.Rejected).Select(row => row.Type)];

    /// <summary>What the ids of items of this kind begin with (<c>msg</c>, <c>fc</c>, <c>rs</c>, …).</summary>
    public static string IdPrefix(ItemKind kind) => Row(kind).IdPrefix;

    /// <summary>The row of a kind. Kinds without a row (<see cref="ItemKind.Unknown"/>) have one that maps to nothing.</summary>
    internal static ItemRow Row(ItemKind kind) => RowsByKind[(int)kind];

    private static ItemRow[] IndexByKind()
    {
        var rows = new ItemRow[Enum.GetValues<ItemKind>().Length];
        Array.Fill(rows, new ItemRow(ItemKind.Unknown, "", ItemMapping.None, []));
        foreach (var row in Rows)
        {
            rows[(int)row.Kind] = row;
        }

        return rows;
    }

    private static ItemRow? FindRow(ReadOnlyMemory<byte> type)
    {
        foreach (var row in Rows)
        {
            if (JsonView.TextEquals(type, row.TypeUtf8))
            {
                return row;
            }
        }

        return null;
    }
}
