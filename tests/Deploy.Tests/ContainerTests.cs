using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Gateway.Testing;

namespace Deploy.Tests;

/// <summary>The container files keep the rules, and what they put into an image runs as they say: without root, and without a place to write but /data.</summary>
public sealed partial class ContainerTests
{
    private const int ImageUser = 1654;

    private static readonly string Configuration = new DirectoryInfo(AppContext.BaseDirectory).Parent!.Name;

    public static TheoryData<string> Files => ["deploy/Dockerfile", "deploy/python-tool/Dockerfile"];

    [Theory]
    [MemberData(nameof(Files))]
    public void File_IsBuiltInStages_FromVersionsThatAreNamed(string path)
    {
        var images = ContainerFile.Of(new ContainerFile(path).Instructions, "FROM").ToArray();

        Assert.True(images.Length >= 2);
        Assert.All(images, image => Assert.Matches(@"^(--platform=\S+ )?mcr\.microsoft\.com/dotnet/(sdk|aspnet):10\.0-noble(-chiseled)?( AS \w+)?$", image));
        // The SDK and sources stay behind.
        Assert.DoesNotContain("/sdk:", images[^1], StringComparison.Ordinal);
        Assert.All(images[..^1], image => Assert.Contains(" AS ", image, StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Image_DoesNotRunAsRoot_AndStartsItsProgramItself(string path)
    {
        var file = new ContainerFile(path);

        var user = ContainerFile.Of(file.Final, "USER").Last();
        Assert.True(user == "$APP_UID" || Regex.IsMatch(user, @"^[1-9]\d*:[1-9]\d*$"), user);
        Assert.All(file.EntryPoint, word => Assert.StartsWith("/app/", word, StringComparison.Ordinal));
        // Whoever runs as that user can not change the program.
        Assert.Contains("--from=build /app /app", ContainerFile.Of(file.Final, "COPY"));
        Assert.DoesNotContain(ContainerFile.Of(file.Final, "COPY"), line => line.Contains("--chown", StringComparison.Ordinal) && line.EndsWith("/app", StringComparison.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Instructions_HaveNoKnownFault(string path)
    {
        var file = new ContainerFile(path);

        Assert.DoesNotContain(file.Instructions, instruction => instruction.Name is "ADD" or "MAINTAINER" || instruction.Name.Any(char.IsAsciiLetterLower));
        Assert.Single(ContainerFile.Of(file.Instructions, "ENTRYPOINT"));
        Assert.DoesNotContain(ContainerFile.Of(file.Instructions, "WORKDIR"), folder => !folder.StartsWith('/'));
        Assert.DoesNotContain(file.Environment, variable => variable.Name.Contains("KEY", StringComparison.OrdinalIgnoreCase) || variable.Name.Contains("PASSWORD", StringComparison.OrdinalIgnoreCase));
        foreach (var run in ContainerFile.Of(file.Instructions, "RUN"))
        {
            Assert.DoesNotMatch(@"\b(sudo|cd |apt |curl|wget)", run);
            if (run.Contains("apt-get install", StringComparison.Ordinal))
            {
                Assert.Contains("apt-get update && apt-get install -y --no-install-recommends", run, StringComparison.Ordinal);
                Assert.EndsWith("rm -rf /var/lib/apt/lists/*", run, StringComparison.Ordinal);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Files))]
    public void Copied_IsThere_AndNotIgnored(string path)
    {
        var sources = new ContainerFile(path).Sources.ToArray();

        Assert.NotEmpty(sources);
        Assert.All(sources, source =>
        {
            Assert.True(Path.Exists(Path.Combine(Repository.Root, source)), source);
            Assert.False(IsIgnored(source), source);
        });
    }

    [Theory]
    [InlineData("src/Gateway/Program.cs", false)]
    [InlineData("src/Gateway/bin/Release/gateway.dll", true)]
    [InlineData("src/Gateway/obj/project.assets.json", true)]
    [InlineData("deploy/python-tool/Program.cs", false)]
    [InlineData("deploy/.env", true)]
    [InlineData("deploy/compose.yaml", true)]
    [InlineData("data/secrets.key", true)]
    [InlineData("src/Gateway/data/secrets.key", true)]
    [InlineData("tests/Gateway.Tests/Gateway.Tests.csproj", true)]
    [InlineData("docs/install.md", true)]
    public void BuildFolder_HasWhatIsCopiedAndNothingElse(string path, bool isIgnored) => Assert.Equal(isIgnored, IsIgnored(path));

    [Fact]
    public void Version_OfEveryPlace_IsThatOfTheBuild()
    {
        var version = Regex.Match(Repository.Read("Directory.Build.props"), "<Version>(.+)</Version>").Groups[1].Value;

        Assert.NotEmpty(version);
        Assert.All(Files, row => Assert.Contains($"VERSION={version}", ContainerFile.Of(new ContainerFile(row).Final, "ARG")));
        Assert.Equal($"responses-gateway:{version}", (string?)Yaml.Read("deploy/compose.yaml")["x-gateway"]!["image"]);
        Assert.Matches($@"(?m)^## {Regex.Escape(version)} \((unreleased|\d{{4}}-\d\d-\d\d)\)$", Repository.Read("CHANGELOG.md"));
    }

    /// <summary>
    /// What the container file publishes, but without the compilation ahead, in a sandbox that has of an image what counts: the same user, the
    /// same variables, the same paths, a root that can not be written.
    /// </summary>
    [Fact(Timeout = 120_000)]
    public async Task PublishedProgram_WithoutRootAndOnAReadOnlyRoot_Serves()
    {
        var file = new ContainerFile("deploy/Dockerfile");
        using var folder = new TemporaryFolder();
        var (app, data) = (Path.Combine(folder.Path, "app"), Path.Combine(folder.Path, "data"));
        await Tool.SucceedAsync("dotnet", ["publish", "src/Gateway/Gateway.csproj", "-c", Configuration, "--no-build", "-o", app, "-nologo", "-v", "q", "-nr:false", "-p:PublishDocumentationFiles=false"]);
        Directory.CreateDirectory(data);
        await Tool.SucceedAsync("chmod", ["-R", "a+rX,go-w", folder.Path]);
        if (Environment.UserName == "root")
        {
            await Tool.SucceedAsync("chown", [$"{ImageUser}:{ImageUser}", data]);
        }

        string[] expected = ["appsettings.json", "gateway", "gateway.dll", "Gateway.Protocol.dll", "gateway.runtimeconfig.json"];
        Assert.Empty(expected.Except(Directory.EnumerateFiles(app).Select(name => Path.GetFileName(name)!)));
        Assert.True(File.GetUnixFileMode(Path.Combine(app, "gateway")).HasFlag(UnixFileMode.OtherExecute));
        Assert.Equal(["/app/gateway"], file.EntryPoint);

        await using var gateway = await GatewayProcess.StartAsync(Contain(file, app, data, file.EntryPoint));
        using var content = new StringContent("""{"model":"demo","input":"Hello"}""", Encoding.UTF8, "application/json");
        using var response = await gateway.Client.PostAsync(new Uri("/v1/responses", UriKind.Relative), content, TestContext.Current.CancellationToken);

        Assert.Contains("\"status\":\"completed\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        // What it keeps is where the image says, and it had nowhere else to put it.
        Assert.True(File.Exists(Path.Combine(data, "gateway.db")));

        // The image's check finds it well, in the same surroundings, and says so when it is gone.
        var check = Contain(file, app, data, [.. file.HealthCheck, "--url", gateway.BaseAddress.AbsoluteUri]);
        await Tool.SucceedAsync(check.FileName, check.ArgumentList);
        await gateway.KillAsync();
        Assert.Equal(1, (await Tool.RunAsync(check.FileName, check.ArgumentList)).ExitCode);
    }

    [Fact]
    public void Image_AsksItselfWithinTheTimeItHas()
    {
        var file = new ContainerFile("deploy/Dockerfile");
        var options = ContainerFile.Of(file.Final, "HEALTHCHECK").Single();

        Assert.Equal([.. file.EntryPoint, "check", "--only", "health", "--timeout", "2"], file.HealthCheck);
        // The start of the program comes on top of what it waits for an answer.
        Assert.Contains("--timeout=5s", options, StringComparison.Ordinal);
        // Where the check asks when it is told nothing else.
        Assert.Contains(("ASPNETCORE_HTTP_PORTS", "8080"), file.Environment);
    }

    /// <summary>A command in bubblewrap, in what the container file makes.</summary>
    private static ProcessStartInfo Contain(ContainerFile file, string app, string data, IEnumerable<string> run)
    {
        // …/dotnet/shared/Microsoft.NETCore.App/10.0.x/
        var dotnet = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        List<string> command =
        [
            "bwrap", "--die-with-parent", "--unshare-user", "--unshare-ipc", "--ro-bind", "/usr", "/usr", "--ro-bind", "/etc", "/etc",
            "--ro-bind-try", "/lib", "/lib", "--ro-bind-try", "/lib64", "/lib64", "--ro-bind", dotnet, "/dotnet", "--ro-bind", app, "/app",
            "--bind", data, "/data", "--proc", "/proc", "--dev", "/dev", "--remount-ro", "/", "--clearenv", "--setenv", "DOTNET_ROOT", "/dotnet",
            "--chdir", ContainerFile.Of(file.Final, "WORKDIR").Single(),
        ];
        foreach (var (name, value) in file.Environment)
        {
            // A port of its own, and without a key on loopback only.
            command.AddRange(name == "ASPNETCORE_HTTP_PORTS" ? ["--setenv", "ASPNETCORE_URLS", "http://127.0.0.1:0"] : ["--setenv", name, value]);
        }

        command.AddRange(run);
        if (Environment.UserName == "root")
        {
            var user = ContainerFile.Of(file.Final, "USER").Single().Split(':');
            command.InsertRange(0, ["setpriv", "--reuid", user[0], "--regid", user[1], "--clear-groups"]);
        }

        return new ProcessStartInfo(command[0], command.Skip(1)) { WorkingDirectory = "/" };
    }

    /// <summary>The file <c>.dockerignore</c> keeps a path out of the build: the last rule that matches it, or a folder it is in, says so.</summary>
    private static bool IsIgnored(string path)
    {
        var isIgnored = false;
        foreach (var line in Repository.Read(".dockerignore").Split('\n').Where(line => line.Length > 0 && line[0] != '#'))
        {
            var rule = line.TrimStart('!');
            var pattern = string.Concat(Wildcard().Split(rule).Select(part => part switch { "**/" => "(.*/)?", "*" => "[^/]*", _ => Regex.Escape(part) }));
            if (Regex.IsMatch(path, $"^{pattern}(/|$)"))
            {
                isIgnored = line[0] != '!';
            }
        }

        return isIgnored;
    }

    [GeneratedRegex(@"(\*\*/|\*)")]
    private static partial Regex Wildcard();
}
