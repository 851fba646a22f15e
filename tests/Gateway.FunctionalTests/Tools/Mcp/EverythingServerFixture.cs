using System.Runtime.CompilerServices;
using Gateway.Testing.Mcp;

namespace Gateway.FunctionalTests.Tools.Mcp;

/// <summary>Both transports of the npm package's server, started once for the tests of a class.</summary>
public sealed class EverythingServerFixture : IAsyncLifetime
{
    public EverythingServer StreamableHttp { get; private set; } = null!;

    public EverythingServer LegacySse { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        var folder = Path.Combine(SourceFolder(), "..", "..", "js");
        StreamableHttp = await EverythingServer.StartAsync(folder);
        LegacySse = await EverythingServer.StartAsync(folder, legacySse: true);
    }

    public async ValueTask DisposeAsync()
    {
        // Null when it did not start: the other one must end all the same.
        foreach (var server in new[] { StreamableHttp, LegacySse }.OfType<EverythingServer>())
        {
            await server.DisposeAsync();
        }
    }

    private static string SourceFolder([CallerFilePath] string path = "") => Path.GetDirectoryName(path)!;
}
