using Gateway.Tools.Hosted;
using Gateway.Tools.Mcp;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Gateway.Tools;

internal static class ToolsExtensions
{
    /// <summary>What runs tools on the gateway's side.</summary>
    public static IHostApplicationBuilder AddGatewayTools(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<ToolsOptions>().Bind(builder.Configuration.GetSection(ToolsOptions.Section)).ValidateOnStart();
        services.AddSingleton<IValidateOptions<ToolsOptions>, ToolsOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.TryAddSingleton<ToolMetrics>();
        services.TryAddSingleton<NamedServers>();
        services.TryAddSingleton<HostedTools>();
        services.TryAddSingleton<ServerTools>();
        services.TryAddSingleton<ContextFitter>();
        services.TryAddSingleton<ToolLoop>();
        services.TryAddSingleton<McpMetrics>();
        services.TryAddSingleton<McpConnector>();
        services.TryAddSingleton<IMcpClientPool, McpClientPool>();
        return builder;
    }
}
