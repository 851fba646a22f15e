namespace Gateway.Telemetry;

/// <summary>
/// Names of meters, sources and tags. <c>gen_ai.*</c> and <c>error.type</c> are of the OpenTelemetry semantic conventions for generative AI
/// (in development there); everything the conventions do not know is <c>gateway.*</c>.
/// </summary>
internal static class TelemetryNames
{
    /// <summary>Meter and activity source.</summary>
    public const string Gateway = "Gateway";

    public const string Dialect = "gateway.dialect";
    public const string ResponseStatus = "gateway.response.status";
    public const string Stream = "gateway.stream";
    public const string Upstream = "gateway.upstream";
    public const string RefusalReason = "gateway.egress.reason";
    public const string OperationName = "gen_ai.operation.name";
    public const string RequestModel = "gen_ai.request.model";
    public const string ResponseId = "gen_ai.response.id";
    public const string TokenType = "gen_ai.token.type";
    public const string InputTokens = "gen_ai.usage.input_tokens";
    public const string OutputTokens = "gen_ai.usage.output_tokens";
    public const string ServerAddress = "server.address";
    public const string ErrorType = "error.type";
}
