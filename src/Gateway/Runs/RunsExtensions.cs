using Microsoft.Extensions.Options;

namespace Gateway.Runs;

internal static class RunsExtensions
{
    /// <summary>Durable runs: background responses, take-over, and streams that can be resumed.</summary>
    public static void AddGatewayRuns(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<RunOptions>().BindConfiguration(RunOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<RunOptions>, RunOptionsValidator>();
        services.AddSingleton<RunSpecs>();
        services.AddSingleton<RunTails>();
        services.AddSingleton<RunViews>();
        services.AddSingleton<RunReader>();
        services.AddSingleton<IdempotencyKeys>();
        services.AddSingleton<RunMetrics>();
        services.AddSingleton<DurableResponses>();
        services.AddSingleton<RunExecutor>();
        services.AddSingleton<FollowerPlaces>();
        services.AddSingleton<RunFollower>();
        services.AddSingleton<RunHost>();
        services.AddHostedService(static provider => provider.GetRequiredService<RunHost>());
    }
}
