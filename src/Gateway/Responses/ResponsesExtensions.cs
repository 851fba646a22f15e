using Gateway.Conversations;
using Gateway.Policy;
using Gateway.Telemetry;
using Gateway.Tools;
using Microsoft.Extensions.Options;

namespace Gateway.Responses;

/// <summary>Adds the Responses API: the endpoints and everything that a response is made with.</summary>
internal static class ResponsesExtensions
{
    private static readonly TimeSpan LongestTick = TimeSpan.FromSeconds(1);

    public static void AddGatewayResponses(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddSingleton<CreateResponse>();
        services.AddSingleton<CountInputTokens>();
        services.AddSingleton<ResponsePreparer>();
        services.AddSingleton<ResponseMaker>();
        services.AddSingleton<ReadResponses>();
        services.AddSingleton<ResponseKeeper>();
        services.AddSingleton<ServeConversations>();
        services.AddSingleton<ServeConversationItems>();
        services.AddSingleton<ConversationLoader>();
        services.AddSingleton<ConversationInput>();
        services.AddSingleton(provider =>
        {
            var limits = provider.GetRequiredService<IOptions<LimitsOptions>>().Value;
            var tick = limits.KeepAliveInterval < LongestTick ? limits.KeepAliveInterval : LongestTick;
            return new RoundReader(
                provider.GetRequiredService<TimeProvider>(),
                new RoundLimits(limits.UpstreamEventBytes, limits.UpstreamBodyBytes, limits.UpstreamCalls, tick),
                provider.GetRequiredService<GatewayMetrics>());
        });
    }

    /// <summary>Renders errors, of whatever comes behind it.</summary>
    public static void UseGatewayErrors(this IApplicationBuilder app) => app.UseMiddleware<ErrorMiddleware>();

    /// <summary>Checks the account that a client names. Behind the tenants.</summary>
    public static void UseGatewayAccounts(this IApplicationBuilder app) => app.UseMiddleware<AccountMiddleware>();
}
