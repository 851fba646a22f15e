using System.Diagnostics;
using System.Runtime.CompilerServices;
using Gateway.Store;
using Gateway.Store.Sqlite;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace Gateway.Tests.Store;

/// <summary>
/// A process that commits chains to a SQLite store as fast as it can and tells each response it got acknowledged, until it is killed. It is
/// this test executable, told so by its environment.
/// </summary>
internal static class CrashingWriter
{
    public const string Tenant = "acme";
    private const string Folder = "GATEWAY_TEST_CRASHING_WRITER";
    private const int Chains = 8;
    private const int TurnsAChain = 10;

    public static string Text { get; } = new('x', 1500);

    public static Process Start(string folder)
    {
        var start = new ProcessStartInfo("dotnet", ["exec", typeof(CrashingWriter).Assembly.Location]) { RedirectStandardOutput = true };
        start.Environment[Folder] = folder;
        return Process.Start(start) ?? throw new InvalidOperationException("The writing process did not start.");
    }

    // A module initializer, since the test framework owns Main. Nothing of this module runs on another thread before it returns, so the
    // commits are started together and awaited on this one.
#pragma warning disable CA2255 // This is an executable, and only its own child process gets past the first line.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void RunWhenTold()
    {
        if (Environment.GetEnvironmentVariable(Folder) is not { Length: > 0 } folder)
        {
            return;
        }

        using var services = new ServiceCollection().AddMetrics().AddSingleton<StoreMetrics>().BuildServiceProvider();
        var store = new SqliteResponseStore(
            new StoreOptions { Path = folder }, services.GetRequiredService<StoreMetrics>(), TimeProvider.System, NullLogger<SqliteResponseStore>.Instance);
        store.StartAsync().GetAwaiter().GetResult();
        while (true)
        {
            WriteChains(store);
        }
    }

    private static void WriteChains(SqliteResponseStore store)
    {
        var commits = Enumerable.Range(0, Chains).Select(_ => Commits.Start(Tenant, DateTimeOffset.UtcNow, Text)).ToArray();
        for (var turns = 1; turns <= TurnsAChain; turns++)
        {
            var committing = commits.Select(commit => store.CommitAsync(commit, CancellationToken.None).AsTask()).ToArray();
            for (var n = 0; n < Chains; n++)
            {
                committing[n].GetAwaiter().GetResult();
                Console.Out.WriteLine($"{commits[n].Id} {turns} .");
                var parent = store.LoadChainAsync(Tenant, commits[n].Id, CancellationToken.None).AsTask().GetAwaiter().GetResult()
                    ?? throw new InvalidOperationException("A committed chain is not there.");
                commits[n] = Commits.Child(Tenant, parent, DateTimeOffset.UtcNow, Text);
            }
        }
    }
}
