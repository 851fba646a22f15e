namespace Gateway.Tools.Mcp;

/// <summary>Why a list or a call gave no result.</summary>
/// <param name="Kind">What failed.</param>
/// <param name="HttpStatus">The status, for <see cref="McpFailureKind.Http"/>.</param>
/// <param name="Message">A sentence for the user and the model: no secret, no address of the gateway's network.</param>
internal sealed record McpFailure(McpFailureKind Kind, int? HttpStatus, string Message)
{
    /// <summary>The JSON-RPC error code that the server sent, for <see cref="McpFailureKind.Protocol"/>.</summary>
    public int? ErrorCode { get; init; }

    /// <summary>The server can not have run what was asked: it was not reached, or refused the request as such. Asking again is safe.</summary>
    public bool IsNotRun { get; init; }

    /// <summary>The server may have forgotten the session: the connection is of no further use.</summary>
    public bool MayEndSession { get; init; }
}
