namespace Gateway.Tools;

/// <summary>A limit that ended the use of server-run tools in a response.</summary>
internal enum ToolLimit
{
    None,

    /// <summary><c>max_tool_calls</c>, or the ceiling or default that policy sets.</summary>
    ToolCalls,

    /// <summary><c>Gateway:Tools:MaxRounds</c>.</summary>
    Rounds,

    /// <summary><c>Gateway:Tools:RepeatedCalls</c>.</summary>
    RepeatedCalls,
}
