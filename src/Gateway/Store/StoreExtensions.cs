using Gateway.Store.Redis;
using Gateway.Store.Sealing;
using Gateway.Store.Sqlite;
using Gateway.Telemetry;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Options;

namespace Gateway.Store;

internal static class StoreExtensions
{
    /// <summary>
    /// Adds <see cref="IResponseStore"/> and <see cref="IRunStore"/> (Redis when <c>Gateway:Store:Redis</c> is set, else SQLite) and
    /// <see cref="SecretSealer"/>. The store is opened when the host starts and closed when it is disposed.
    /// </summary>
    public static IHostApplicationBuilder AddGatewayStore(this IHostApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddOptions<StoreOptions>().BindConfiguration(StoreOptions.Section).ValidateOnStart();
        services.AddOptions<SecretsOptions>().BindConfiguration(SecretsOptions.Section).ValidateOnStart();
        services.AddSingleton<IValidateOptions<StoreOptions>, StoreOptionsValidator>();
        services.AddSingleton<IValidateOptions<SecretsOptions>, SecretsOptionsValidator>();
        services.TryAddSingleton(TimeProvider.System);
        services.AddMetrics();
        services.TryAddSingleton<StoreMetrics>();
        services.TryAddSingleton(CreateStore);
        services.TryAddSingleton(FindRunStore);
        services.TryAddSingleton(provider => (ITenantEraser)provider.GetRequiredService<IResponseStore>());
        services.TryAddSingleton<IConversationStore>(provider => provider.GetRequiredService<IResponseStore>() switch
        {
            RedisResponseStore redis => redis.Conversations,
            SqliteResponseStore sqlite => sqlite.Conversations,
            var other => throw new InvalidOperationException($"{other.GetType().Name} keeps no conversations."),
        });
        services.TryAddSingleton(provider => SecretSealer.Create(
            provider.GetRequiredService<IOptions<SecretsOptions>>().Value,
            provider.GetRequiredService<IOptions<StoreOptions>>().Value,
            provider.GetRequiredService<ILogger<SecretSealer>>()));

        services.AddSingleton<StoreStatus>();
        services.AddSingleton<IStartupLine>(provider => provider.GetRequiredService<StoreStatus>());
        services.AddSingleton<IReadinessPart>(provider => provider.GetRequiredService<StoreStatus>());
        services.AddHostedService<StoreLifetime>();
        return builder;
    }

    private static IResponseStore CreateStore(IServiceProvider provider)
    {
        var options = provider.GetRequiredService<IOptions<StoreOptions>>().Value;
        var metrics = provider.GetRequiredService<StoreMetrics>();
        var time = provider.GetRequiredService<TimeProvider>();
        return options.UsesRedis
            ? new RedisResponseStore(options, metrics, time, provider.GetRequiredService<ILogger<RedisResponseStore>>())
            : new SqliteResponseStore(options, metrics, time, provider.GetRequiredService<ILogger<SqliteResponseStore>>());
    }

    /// <summary>Runs are kept where responses are: the commit of a turn ends its run.</summary>
    private static IRunStore FindRunStore(IServiceProvider provider) => provider.GetRequiredService<IResponseStore>() switch
    {
        RedisResponseStore redis => redis.Runs,
        SqliteResponseStore sqlite => sqlite.Runs,
        var other => throw new InvalidOperationException($"{other.GetType().Name} keeps no runs: add the IRunStore that belongs to it."),
    };
}
