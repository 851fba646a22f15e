namespace Gateway.Policy;

internal static partial class PolicyLog
{
    [LoggerMessage(5000, LogLevel.Information, "Tenants and policies were reloaded: {Count} tenants can be used.")]
    public static partial void Reloaded(ILogger logger, int count);

    [LoggerMessage(5001, LogLevel.Error, "The changed configuration of tenants and policies is not valid; the one before stays in force. {Reason}")]
    public static partial void ReloadRefused(ILogger logger, string reason);

    [LoggerMessage(5002, LogLevel.Warning, "Tenant '{Tenant}' has no keys: nobody can use it.")]
    public static partial void TenantWithoutKeys(ILogger logger, string tenant);
}
