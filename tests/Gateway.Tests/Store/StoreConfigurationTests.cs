using Gateway.Store;
using Gateway.Store.Redis;
using Gateway.Store.Sealing;
using Gateway.Store.Sqlite;
using Gateway.Testing.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;

namespace Gateway.Tests.Store;

public sealed class StoreConfigurationTests
{
    [Theory]
    [InlineData("Gateway:Store:Retention", "00:00:00", "Gateway:Store:Retention is 00:00:00. It must be from 00:00:01 to 3650.00:00:00.")]
    [InlineData("Gateway:Store:CommandTimeout", "00:02:00", "Gateway:Store:CommandTimeout is 00:02:00. It must be from 00:00:00.1000000 to 00:01:00.")]
    [InlineData("Gateway:Store:SweepInterval", "-00:01:00", "Gateway:Store:SweepInterval is -00:01:00. It must be from 00:00:01 to 1.00:00:00.")]
    [InlineData("Gateway:Store:ConversationLease", "00:00:00.5", "Gateway:Store:ConversationLease is 00:00:00.5000000. It must be from 00:00:01 to 00:10:00.")]
    [InlineData("Gateway:Store:WaitReplicas", "-1", "Gateway:Store:WaitReplicas is -1. It must be from 0 to 100.")]
    [InlineData("Gateway:Store:WaitTimeout", "00:00:11", "Gateway:Store:WaitTimeout is 00:00:11. It must be from 00:00:00.0100000 to 00:00:10.")]
    [InlineData("Gateway:Store:Path", "", "Gateway:Store:Path is empty. Name a folder, or set Gateway:Store:Redis.")]
    [InlineData("Gateway:Secrets:Keys:0", "c2VjcmV0", "Gateway:Secrets:Keys:0 is not 32 bytes in base64. Make one with 'openssl rand -base64 32'.")]
    [InlineData("Gateway:Store:Redis", "localhost,nonsense=secret", "Gateway:Store:Redis is not a connection string of StackExchange.Redis (at 'nonsense').")]
    [InlineData("Gateway:Store:Redis", "ssl=true", "Gateway:Store:Redis names no server. Write it like 'redis.example:6379,ssl=true'.")]
    public async Task Start_BadValue_NamesKeyAndValue(string key, string value, string message)
    {
        using var host = Build((key, value));

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Equal(message, Assert.Single(error.Failures));
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Start_PasswordFileMissing_NamesIt()
    {
        using var host = Build(("Gateway:Store:Redis", "localhost"), ("Gateway:Store:RedisPasswordFile", "/no/such/file"));

        var error = await Assert.ThrowsAsync<OptionsValidationException>(() => host.StartAsync());

        Assert.Equal("Gateway:Store:RedisPasswordFile is '/no/such/file'. There is no such file.", Assert.Single(error.Failures));
    }

    [Fact]
    public async Task Start_Nothing_OpensSqliteAndStopsClean()
    {
        var folder = Directory.CreateTempSubdirectory("gateway-store-").FullName;
        for (var run = 0; run < 2; run++)
        {
            var host = Build(("Gateway:Store:Path", folder));
            await host.StartAsync();

            var store = Assert.IsType<SqliteResponseStore>(host.Services.GetRequiredService<IResponseStore>());
            Assert.Equal(new StoreHealth("sqlite", ReachedOnce: true, Available: true), store.Health);
            Assert.Same(store.Runs, host.Services.GetRequiredService<IRunStore>());
            Assert.True(host.Services.GetRequiredService<SecretSealer>().CanSeal);
            Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(Commits.Start("acme", DateTimeOffset.UtcNow), CancellationToken.None));

            await host.StopAsync();
            await ((IAsyncDisposable)host).DisposeAsync();
        }

        Directory.Delete(folder, recursive: true);
    }

    [Fact]
    public async Task Start_RedisConfigured_UsesIt()
    {
        await using var redis = await RedisProcess.StartAsync();
        var host = Build(("Gateway:Store:Redis", redis.EndPoint));
        await host.StartAsync();

        var store = Assert.IsType<RedisResponseStore>(host.Services.GetRequiredService<IResponseStore>());
        Assert.Equal(CommitOutcome.Appended, await store.CommitAsync(Commits.Start("acme", DateTimeOffset.UtcNow), CancellationToken.None));
        Assert.Same(store.Runs, host.Services.GetRequiredService<IRunStore>());
        Assert.False(host.Services.GetRequiredService<SecretSealer>().CanSeal);

        await host.StopAsync();
        await ((IAsyncDisposable)host).DisposeAsync();
    }

    private static IHost Build(params (string Key, string Value)[] settings)
    {
        var builder = Host.CreateEmptyApplicationBuilder(new HostApplicationBuilderSettings());
        builder.Configuration.AddInMemoryCollection(settings.Select(setting => KeyValuePair.Create(setting.Key, (string?)setting.Value)));
        builder.AddGatewayStore();
        return builder.Build();
    }
}
