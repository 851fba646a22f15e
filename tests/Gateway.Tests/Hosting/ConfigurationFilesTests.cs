using Gateway.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.Primitives;

namespace Gateway.Tests.Hosting;

public sealed class ConfigurationFilesTests : IDisposable
{
    private readonly DirectoryInfo _directory = Directory.CreateTempSubdirectory("gateway-test");

    public void Dispose() => _directory.Delete(recursive: true);

    [Fact]
    public void AddGatewayFiles_EverySource_LaterWins()
    {
        File.WriteAllText(Path.Combine(_directory.FullName, "extra.json"), """{"a":"extra","b":"extra"}""");
        using var configuration = Host(("config", "extra.json"), ("a", "command line"));

        configuration.AddGatewayFiles(_directory.FullName);

        Assert.Equal("command line", configuration["a"]);
        Assert.Equal("extra", configuration["b"]);
        // The shipped defaults are beside the test's executable too.
        Assert.Equal("30.00:00:00", configuration["Gateway:Store:Retention"]);
    }

    [Fact]
    public void AddGatewayFiles_WorkingDirectorysFile_WinsOverShippedDefaults()
    {
        File.WriteAllText(Path.Combine(_directory.FullName, "appsettings.json"), """{"Gateway":{"Store":{"Retention":"1.00:00:00"}}}""");
        using var configuration = Host();

        configuration.AddGatewayFiles(_directory.FullName);

        Assert.Equal("1.00:00:00", configuration["Gateway:Store:Retention"]);
        Assert.Equal("./data", configuration["Gateway:Store:Path"]);
    }

    [Fact]
    public async Task NamedFile_Changes_IsReadAgain()
    {
        var file = Path.Combine(_directory.FullName, "extra.json");
        await File.WriteAllTextAsync(file, """{"a":"1"}""");
        using var configuration = Host(("config", "extra.json"));
        configuration.AddGatewayFiles(_directory.FullName);
        var changed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = ChangeToken.OnChange(((IConfiguration)configuration).GetReloadToken, () =>
        {
            if (configuration["a"] == "2")
            {
                changed.TrySetResult();
            }
        });

        await File.WriteAllTextAsync(file, """{"a":"2"}""");

        await changed.Task.WaitAsync(TimeSpan.FromSeconds(30));
    }

    [Fact]
    public void AddGatewayFiles_NamedFileMissing_SaysSo()
    {
        using var configuration = Host(("config", "nowhere.json"));

        var refusal = Assert.Throws<StartupException>(() => configuration.AddGatewayFiles(_directory.FullName));

        Assert.Equal("config is 'nowhere.json': there is no such file.", refusal.Message);
    }

    /// <summary>The sources that the host makes: the working directory's file, then what wins over files.</summary>
    private ConfigurationManager Host(params (string Key, string Value)[] commandLine)
    {
        var configuration = new ConfigurationManager();
        configuration.SetBasePath(_directory.FullName);
        configuration.Sources.Add(new JsonConfigurationSource { Path = "appsettings.json", Optional = true });
        configuration.AddInMemoryCollection(commandLine.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)));
        return configuration;
    }
}
