namespace Gateway.Tools;

/// <summary>What a response does when an MCP server does not list its tools.</summary>
internal enum ListFailure
{
    /// <summary>It fails: 424 <c>http_error</c>; a stream tells the failed list and ends in <c>response.failed</c>.</summary>
    Fail,

    /// <summary>It tells the failed list and goes on without that server's tools.</summary>
    Continue,
}
