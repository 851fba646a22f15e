using Gateway.Hosting;
using Gateway.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Configuration.Json;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
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
    public void AddGatewayFiles_TheHostsFiles_KeepTheHostsOneWatcher()
    {
        using var configuration = Host();
        var before = Watchers();

        configuration.AddGatewayFiles(_directory.FullName);

        // A machine has few watchers, for all its processes together.
        Assert.Single(before);
        Assert.Equal(before, Watchers());

        List<IFileProvider?> Watchers() =>
        [
            .. ((IConfigurationRoot)configuration).Providers.OfType<JsonConfigurationProvider>().Select(provider => provider.Source.FileProvider)
                .Where(files => files is PhysicalFileProvider { Root: var root } && Path.TrimEndingDirectorySeparator(root) == _directory.FullName).Distinct(),
        ];
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

    [Theory]
    [InlineData("appsettings.json", "{ ", "It is no JSON from line 1, byte 3 on.")]
    [InlineData("extra.json", "", "It is no JSON from line 1, byte 1 on.")]
    [InlineData("extra.json", """{"a":"2","a":"3"}""", "A duplicate key 'a' was found.")]
    public async Task File_ChangesIntoWhatIsNoSettings_TheLastOnesStayAndItIsLogged(string name, string text, string reason)
    {
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "appsettings.json"), "{}");
        await File.WriteAllTextAsync(Path.Combine(_directory.FullName, "extra.json"), "{}");
        var file = Path.Combine(_directory.FullName, name);
        await File.WriteAllTextAsync(file, """{"a":"1"}""");
        using var configuration = Host(("config", "extra.json"));
        configuration.AddGatewayFiles(_directory.FullName);
        using var logs = new CollectedLogs();
        using var factory = LoggerFactory.Create(logging => logging.AddProvider(logs));
        // What is registered last is told first: the log is written when this is told.
        var reloaded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var registration = ChangeToken.OnChange(((IConfiguration)configuration).GetReloadToken, () => { reloaded.TrySetResult(); });
        using var report = new RefusedSettings(configuration, factory.CreateLogger<RefusedSettings>());
        await report.StartAsync(TestContext.Current.CancellationToken);

        // In one step, so that no half of it is read.
        await File.WriteAllTextAsync(file + ".new", text);
        File.Move(file + ".new", file, overwrite: true);
        await reloaded.Task.WaitAsync(TimeSpan.FromSeconds(30));

        Assert.Equal("1", configuration["a"]);
        Assert.Contains($"The changed file {file} can not be read, its last good settings stay in force: {reason}", logs.Errors.Select(log => log.Message));
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
        configuration.Sources.Add(new JsonConfigurationSource { Path = "appsettings.json", Optional = true, ReloadOnChange = true });
        configuration.AddInMemoryCollection(commandLine.Select(pair => KeyValuePair.Create(pair.Key, (string?)pair.Value)));
        return configuration;
    }
}
