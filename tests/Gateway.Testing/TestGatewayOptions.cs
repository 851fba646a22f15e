using Microsoft.Extensions.DependencyInjection;

namespace Gateway.Testing;

/// <summary>How a gateway under test is configured.</summary>
public sealed record TestGatewayOptions
{
    /// <summary>Base addresses of upstreams by name, each with the generic profile, unasked, unless <see cref="Settings"/> say otherwise.</summary>
    public IReadOnlyDictionary<string, Uri> Upstreams { get; init; } = new Dictionary<string, Uri>();

    /// <summary>Further configuration keys (<c>Gateway:Limits:KeepAliveInterval</c>) with their values.</summary>
    public IReadOnlyDictionary<string, string> Settings { get; init; } = new Dictionary<string, string>();

    /// <summary>A Redis connection string; null for SQLite.</summary>
    public string? Redis { get; init; }

    /// <summary>The folder of the embedded store; null for a new one that is deleted afterwards.</summary>
    public string? StorePath { get; init; }

    /// <summary>Return from the start only when the gateway says that it is ready.</summary>
    public bool WaitUntilReady { get; init; } = true;

    /// <summary>The clock; null for the real one.</summary>
    public TimeProvider? Time { get; init; }

    /// <summary>Puts parts of the test's own in place of the gateway's; null for none.</summary>
    public Action<IServiceCollection>? ConfigureServices { get; init; }

    /// <summary>The command line of the gateway.</summary>
    internal string[] ToArguments(string storePath)
    {
        var settings = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase)
        {
            ["urls"] = "http://127.0.0.1:0",
            ["Gateway:Store:Path"] = storePath,
            ["Logging:LogLevel:Microsoft.Hosting.Lifetime"] = "Information",
            // Upstreams count their requests and answer from a queue.
            ["Gateway:Probing:Enabled"] = "false",
        };
        if (Redis is not null)
        {
            settings["Gateway:Store:Redis"] = Redis;
        }

        foreach (var (name, address) in Upstreams)
        {
            settings[$"Gateway:Upstreams:{name}:Address"] = address.AbsoluteUri;
        }

        foreach (var (key, value) in Settings)
        {
            settings[key] = value;
        }

        return [.. settings.Select(setting => $"--{setting.Key}={setting.Value}")];
    }
}
