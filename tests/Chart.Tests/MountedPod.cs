using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Gateway.Testing;

namespace Chart.Tests;

/// <summary>
/// A container's files, environment and command line as a kubelet would make them, in a temporary folder in place of the root. Files are links that
/// lead through a link <c>..data</c>, as in a mounted ConfigMap, so that a change can be put in place as Kubernetes does it.
/// </summary>
internal sealed class MountedPod : IDisposable
{
    private readonly TemporaryFolder _root = new();
    private readonly Manifests _manifests;
    private readonly JsonNode _pod;
    private readonly JsonObject _container;
    private readonly IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> _secrets;
    private readonly IReadOnlyList<(string From, string To)> _replacements;
    private readonly Regex _mounts;
    private int _version;

    /// <param name="manifests">What the chart made.</param>
    /// <param name="owner">The object that makes the pod.</param>
    /// <param name="secrets">The Secrets that the chart expects from somebody else, by name and key.</param>
    /// <param name="replacements">Names of the cluster, and what stands for them here.</param>
    public MountedPod(
        Manifests manifests,
        JsonObject owner,
        IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>? secrets = null,
        params IReadOnlyList<(string From, string To)> replacements)
    {
        _manifests = manifests;
        _pod = owner.Pod()!;
        _container = _pod.Containers()[0];
        _secrets = secrets ?? new Dictionary<string, IReadOnlyDictionary<string, string>>();
        _replacements = replacements;
        // All at once, so that what was put in is not found again; nothing where nothing is mounted.
        _mounts = new Regex($@"(?<![\w./-])({string.Join('|', _container.List("volumeMounts").Select(mount => Regex.Escape(mount.Text("mountPath")!)).DefaultIfEmpty("(?!)"))})(?![\w.-])");
        foreach (var mount in _container.List("volumeMounts"))
        {
            Mount(mount);
        }
    }

    public string Folder(string mountPath) => _root.Path + mountPath;

    /// <summary>The gateway with the container's settings and nothing else; it listens on loopback instead of every address.</summary>
    public ProcessStartInfo GatewayStart()
    {
        var start = Start(typeof(Gateway.Hosting.GatewayApplication).Assembly.Location, Here(_container.Text("workingDir")!));
        Assert.True(start.Environment.Remove("ASPNETCORE_HTTP_PORTS", out var port));
        Assert.Equal(_container.List("ports").Single().Text("containerPort"), port);
        start.Environment["ASPNETCORE_URLS"] = "http://127.0.0.1:0";
        return start;
    }

    /// <summary>Runs the gateway's executable with the container's arguments and environment to its end.</summary>
    public async Task<(int ExitCode, string Output)> RunAsync(CancellationToken cancellationToken)
    {
        var start = Start(typeof(Gateway.Hosting.GatewayApplication).Assembly.Location, _root.Path);
        start.RedirectStandardOutput = start.RedirectStandardError = true;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var errors = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, await output + await errors);
    }

    /// <summary>An executable of .NET with the container's arguments and environment.</summary>
    public ProcessStartInfo Start(string assembly, string workingFolder)
    {
        var start = new ProcessStartInfo("dotnet") { WorkingDirectory = workingFolder };
        start.ArgumentList.Add(assembly);
        foreach (var argument in _container["args"]?.AsArray() ?? [])
        {
            start.ArgumentList.Add(Here(argument!.ToString()));
        }

        foreach (var (name, value) in Environment())
        {
            start.Environment[name] = value;
        }

        return start;
    }

    /// <summary>The container's own command.</summary>
    public IReadOnlyList<string> Command() => [.. _container["command"]!.AsArray().Select(part => Here(part!.ToString()))];

    /// <summary>Changes a mounted file as a kubelet does: a new folder, to which the link is moved.</summary>
    public void Change(string mountPath, string file, string text) => Write(_root.Path + mountPath, [(file, text)]);

    public void Dispose() => _root.Dispose();

    private IEnumerable<(string Name, string Value)> Environment()
    {
        foreach (var variable in _container.List("env"))
        {
            if (variable.Text("valueFrom", "secretKeyRef", "name") is { } secret)
            {
                yield return (variable.Text("name")!, Data("Secret", secret)[variable.Text("valueFrom", "secretKeyRef", "key")!]);
            }
            else if (variable.ContainsKey("value"))
            {
                yield return (variable.Text("name")!, Here(variable.Text("value")!));
            }
        }
    }

    private void Mount(JsonObject mount)
    {
        var folder = _root.Path + mount.Text("mountPath");
        Directory.CreateDirectory(folder);
        var name = mount.Text("name");
        var volume = _pod.List("spec", "volumes").SingleOrDefault(v => v.Text("name") == name);
        var (kind, source) = volume.Text("configMap", "name") is { } map ? ("ConfigMap", map) : ("Secret", volume.Text("secret", "secretName"));
        if (source is null)
        {
            return;
        }

        var data = Data(kind, source);
        var items = (volume.At(kind == "Secret" ? "secret" : "configMap") as JsonObject).List("items");
        Write(folder, items.Count == 0
            ? [.. data.Select(pair => (pair.Key, pair.Value))]
            : [.. items.Select(item => (item.Text("path")!, data[item.Text("key")!]))]);
    }

    private void Write(string folder, IReadOnlyList<(string File, string Text)> files)
    {
        var version = $"..{++_version}";
        Directory.CreateDirectory(Path.Combine(folder, version));
        foreach (var (file, text) in files)
        {
            File.WriteAllText(Path.Combine(folder, version, file), Here(text));
            var link = Path.Combine(folder, file);
            if (!Path.Exists(link))
            {
                File.CreateSymbolicLink(link, Path.Combine("..data", file));
            }
        }

        var fresh = Path.Combine(folder, "..data_tmp");
        Directory.CreateSymbolicLink(fresh, version);
        // rename(2) replaces the link in one step; File.Move would follow it.
        using var move = Process.Start("mv", ["-fT", fresh, Path.Combine(folder, "..data")]);
        move.WaitForExit();
        Assert.Equal(0, move.ExitCode);
    }

    private IReadOnlyDictionary<string, string> Data(string kind, string name)
    {
        if (kind == "Secret" && _secrets.TryGetValue(name, out var given))
        {
            return given;
        }

        var data = _manifests.Objects.Single(o => o.Kind() == kind && o.Name() == name).At("data")!.AsObject();
        return data.ToDictionary(pair => pair.Key, pair => kind == "Secret" ? Encoding.UTF8.GetString(Convert.FromBase64String(pair.Value!.ToString())) : pair.Value!.ToString());
    }

    private string Here(string text) =>
        _mounts.Replace(_replacements.Aggregate(text, (current, pair) => current.Replace(pair.From, pair.To, StringComparison.Ordinal)), _root.Path + "$1");
}
