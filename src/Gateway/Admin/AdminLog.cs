namespace Gateway.Admin;

/// <summary>Log messages of administration: 8000 to 8099. Who is told by the place of the key in the configuration, never by the key.</summary>
internal static partial class AdminLog
{
    [LoggerMessage(8000, LogLevel.Information, "Erasing tenant '{Tenant}' (request {RequestId}, key Gateway:Admin:Keys:{Key}).")]
    public static partial void Erasing(ILogger logger, string tenant, string requestId, int key);

    [LoggerMessage(8001, LogLevel.Information,
        "Erased tenant '{Tenant}': {Responses} responses, {Entries} entries in all (request {RequestId}, key Gateway:Admin:Keys:{Key}).")]
    public static partial void Erased(ILogger logger, string tenant, long responses, long entries, string requestId, int key);

    [LoggerMessage(8002, LogLevel.Warning, "A request to erase a tenant was refused: it had no administrator's key (request {RequestId}).")]
    public static partial void Refused(ILogger logger, string requestId);

    [LoggerMessage(8003, LogLevel.Warning, "A request for a view of administrators was refused: it had no administrator's key (request {RequestId}).")]
    public static partial void ViewRefused(ILogger logger, string requestId);
}
