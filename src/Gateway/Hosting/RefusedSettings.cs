using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Primitives;

namespace Gateway.Hosting;

/// <summary>Logs at each reload which files of settings could not be read. Configuration itself is there before there is a log.</summary>
internal sealed class RefusedSettings(IConfiguration configuration, ILogger<RefusedSettings> logger) : IHostedService, IDisposable
{
    private IDisposable? _reloads;

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _reloads = ChangeToken.OnChange(configuration.GetReloadToken, Report);
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _reloads?.Dispose();

    private void Report()
    {
        foreach (var provider in ((IConfigurationRoot)configuration).Providers)
        {
            if (provider is JsonConfigurationProvider { Source: SettingsFile { Refusal: { } reason } file })
            {
                HostingLog.SettingsRefused(logger, file.File, reason);
            }
        }
    }
}
